"""How the paper's TxPert does on small real screens, against the general baseline (seeds 0-2).

python benchmarks/real_data.py --data FOLDER [--only papalexi doubles lines] [--seeds 0 1 2]

FOLDER holds papalexi.h5ad, norman_mcfaline.h5ad and string_links.tsv.gz.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scvi
from _common import PAPER, mean_sd, quiet, store
from tqdm.auto import tqdm

import txpert as tx

METRICS = ["pearson_delta", "relative_mse", "retrieval"]
EPOCHS = 200
STRONG = ("JAK2", "IFNGR1")


def string_graph(folder: Path, adata: ad.AnnData) -> tx.graph.KnowledgeGraph:
    """Read STRING among the targets; links have no direction, so both are kept."""
    targets = {t for label in adata.obs["perturbation"].unique() for t in label.split("+")}
    graph = tx.graph.KnowledgeGraph.from_edges(
        folder / "string_links.tsv.gz", name="string", weight="combined_score", directed=False
    )
    return graph.restrict(targets).top_k(20)


def fit_and_score(adata: ad.AnnData, graph: tx.graph.KnowledgeGraph, seed: int) -> pd.DataFrame:
    """Train on split "train" for a fixed number of epochs and score split "test"."""
    scvi.settings.seed = seed
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graphs=[graph], **PAPER)
    model.train(max_epochs=EPOCHS, enable_progress_bar=False)
    tx.tl.evaluate(adata, model)
    scores = adata.uns["txpert"]["metrics"]
    reference = scores[scores["model"] == "general"].set_index(["perturbation", "cell_line"])[
        "mse"
    ]
    pairs = pd.MultiIndex.from_frame(scores[["perturbation", "cell_line"]])
    scores["squared_error_of_general"] = reference.reindex(pairs).to_numpy()
    return scores.assign(seed=seed)


def relative_mse(scores: pd.DataFrame) -> float:
    """Total squared error over the general baseline's."""
    return scores["mse"].sum() / scores["squared_error_of_general"].sum()


def summarise(scores: pd.DataFrame, groups: dict[str, pd.Series]) -> list[dict]:
    """One row per model, seed and group of perturbations."""
    rows = []
    for group, chosen in groups.items():
        for (model, seed), part in scores[chosen].groupby(["model", "seed"], sort=False):
            rows.append(
                {
                    "group": group,
                    "model": model,
                    "seed": int(seed),
                    "n": len(part),
                    "pearson_delta": part["pearson_delta"].mean(),
                    "relative_mse": relative_mse(part),
                    "retrieval": part["retrieval"].mean(),
                }
            )
    return rows


def papalexi(folder: Path, seeds: list[int]) -> list[dict]:
    """Leave one knocked-out gene out in turn."""
    adata = ad.read_h5ad(folder / "papalexi.h5ad")
    adata.obs["control"] = adata.obs["perturbation"] == "control"
    tx.pp.normalize(adata)
    graph = string_graph(folder, adata)
    targets = sorted(set(adata.obs["perturbation"]) - {"control"})
    scores = []
    for seed in seeds:
        for target in tqdm(targets, desc=f"papalexi, seed {seed}"):
            part = adata.obs["perturbation"].map(lambda p, t=target: "test" if p == t else "train")
            adata.obs["split"] = part.astype(object).mask(adata.obs["control"])
            scores.append(fit_and_score(adata, graph, seed))
    frame = pd.concat(scores)
    groups = {"papalexi, 20 left out in turn": frame["perturbation"].notna()}
    groups |= {f"papalexi, {gene}": frame["perturbation"] == gene for gene in STRONG}
    return summarise(frame, groups)


def doubles(folder: Path, seeds: list[int]) -> list[dict]:
    """Predict the doubles of K562 whose two parts are both measured singly."""
    adata = ad.read_h5ad(folder / "norman_mcfaline.h5ad")
    adata = adata[adata.obs["cell_line"] == "K562"].copy()
    adata.obs["control"] = adata.obs["perturbation"] == "control"
    labels = adata.obs["perturbation"].astype(str)
    held_out = {p for p in labels.unique() if "+" in p and set(p.split("+")) <= set(labels)}
    part = labels.map(lambda p: "test" if p in held_out else "train")
    adata.obs["split"] = part.astype(object).mask(adata.obs["control"])
    graph = string_graph(folder, adata)
    frame = pd.concat([fit_and_score(adata, graph, seed) for seed in seeds])
    name = f"Norman, {len(held_out)} doubles of known parts"
    return summarise(frame, {name: frame["perturbation"].notna()})


def split_half(adata: ad.AnnData, line: str, seeds: list[int]) -> float:
    """Mean over perturbations of the correlation between the Δ of two random halves."""
    here = adata[adata.obs["cell_line"] == line].copy()
    correlations = []
    for seed in seeds:
        half = np.random.default_rng(seed).integers(2, size=here.n_obs).astype(bool)
        tables = [tx.pp.pseudobulk(here[cells].copy(), split_key=None) for cells in (half, ~half)]
        deltas = [t[~t.obs["control"].to_numpy()].layers["delta"] for t in tables]
        correlations.append(tx.metrics.pearson_delta(*deltas).mean())
    return float(np.mean(correlations))


def lines(folder: Path, seeds: list[int]) -> list[dict]:
    """Leave one glioblastoma line out; its controls stay in training."""
    adata = ad.read_h5ad(folder / "norman_mcfaline.h5ad")
    adata = adata[adata.obs["cell_line"] != "K562"].copy()
    adata.obs["control"] = adata.obs["perturbation"] == "control"
    graph = string_graph(folder, adata)
    rows = []
    for line in adata.obs["cell_line"].unique():
        part = adata.obs["cell_line"].map(lambda c, out=line: "test" if c == out else "train")
        adata.obs["split"] = part.astype(object).mask(adata.obs["control"])
        frame = pd.concat([fit_and_score(adata, graph, seed) for seed in seeds])
        ceiling = split_half(adata, line, seeds)
        rows += [
            row | {"split_half": ceiling}
            for row in summarise(frame, {f"{line} left out": frame["perturbation"].notna()})
        ]
    return rows


TASKS = {"papalexi": papalexi, "doubles": doubles, "lines": lines}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data")
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    quiet()
    for task in arguments.only:
        rows = TASKS[task](arguments.data, arguments.seeds)
        store(f"real_data_{task}", rows)
        frame = pd.DataFrame(rows)
        columns = METRICS + [c for c in ("split_half",) if c in frame]
        print(mean_sd(frame, ["group", "model"], columns).to_string(), flush=True)


if __name__ == "__main__":
    main()
