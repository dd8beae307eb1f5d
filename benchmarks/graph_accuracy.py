"""Which graph helps, and how much wrong edges cost: test Pearson Δ per graph (seeds 0-2).

python benchmarks/graph_accuracy.py --data FOLDER [--only papalexi simulated] [--seeds 0 1 2]

papalexi: five folds over the 20 targets, graphs over targets and measured genes. simulated: 200
perturbations whose effects spread over GO (unweighted terms, as in the paper), so the other graphs
tell how far they stand in for it.
Every result is stored when it is there; a second call goes on where the first stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scvi
from _common import PAPER, RESULTS, environment, mean_sd, quiet

import txpert as tx
from txpert.graph._go import go_genes

STORE = RESULTS / "graph_accuracy.json"
Graphs = list[tx.graph.KnowledgeGraph]


def graph_choices(folder: Path, genes: list[str], seed: int) -> dict[str, Graphs]:
    """Return every graph over the genes of a screen, rewired ones, and two unions."""

    def links(file: str, weight: str | None = None) -> tx.graph.KnowledgeGraph:
        graph = tx.graph.KnowledgeGraph.from_edges(
            folder / file, name=file.split("_")[0], weight=weight, directed=False
        )
        return graph.restrict(genes).top_k(20)

    def sets(file: str, name: str) -> tx.graph.KnowledgeGraph:
        return tx.graph.from_gmt(folder / file, name=name, genes=genes, k=20)

    go = tx.graph.go(genes, k=20, term_weights="uniform")
    singles = [
        go,
        links("string_links.tsv.gz", "combined_score"),
        sets("reactome.gmt.gz", "reactome"),
        links("biogrid_edges.tsv.gz"),
        links("intact_edges.tsv.gz"),
        sets("depmap_coessential_modules.gmt.gz", "depmap modules"),
    ]
    choices: dict[str, Graphs] = {graph.name: [graph] for graph in singles}
    choices |= {
        f"go, {percent}% rewired": [go.rewire(percent / 100, which="both", seed=seed)]
        for percent in (30, 60, 100)
    }
    choices["go + string"] = singles[:2]
    choices["all six"] = singles
    choices["no graph"] = []
    return choices


def papalexi(folder: Path, seed: int) -> Iterator[ad.AnnData]:
    """Yield the screen once per fold, its split column set."""
    adata = ad.read_h5ad(folder / "papalexi.h5ad")
    adata.obs["control"] = adata.obs["perturbation"] == "control"
    tx.pp.normalize(adata)
    targets = sorted(set(adata.obs["perturbation"]) - {"control"})
    for fold in np.array_split(np.random.default_rng(seed).permutation(targets), 5):
        part = np.where(adata.obs["perturbation"].isin(fold), "test", "train").astype(object)
        adata.obs["split"] = np.where(adata.obs["control"], None, part)
        yield adata


def simulated(_: Path, seed: int) -> Iterator[ad.AnnData]:
    """Yield a simulated screen with the paper's split."""
    parameters = tx.datasets.SimulationParameters(term_weights="uniform")
    adata = tx.datasets.simulate(n_genes=500, parameters=parameters, seed=seed)
    tx.pp.normalize(adata)
    tx.pp.split(adata, seed=seed)
    yield adata


SCREENS = {"papalexi": (papalexi, 80), "simulated": (simulated, 80)}


def score(folder: Path, screen: str, name: str, seed: int) -> dict[str, float]:
    """Train with one choice of graphs and return mean test scores, over all folds."""
    folds, epochs = SCREENS[screen]
    scores = []
    for adata in folds(folder, seed):
        targets = set(adata.obs["perturbation"]) - {"control"}
        graphs = graph_choices(folder, sorted(targets.union(adata.var_names)), seed)[name]
        scvi.settings.seed = seed
        tx.TxPertModel.setup_anndata(adata)
        model = tx.TxPertModel(adata, graphs=graphs, **PAPER)
        model.train(max_epochs=epochs, enable_progress_bar=False)
        tx.tl.evaluate(adata, model)
        scores.append(adata.uns["txpert"]["metrics"])
    means = pd.concat(scores).groupby("model")[["pearson_delta", "retrieval", "mse"]].mean()
    edges = sum(graph.n_edges for graph in graphs)
    return means.loc["TxPert"].to_dict() | {
        "edges": edges,
        "general": means.loc["general", "pearson_delta"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data")
    parser.add_argument("--only", nargs="+", choices=SCREENS, default=list(SCREENS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    quiet()
    RESULTS.mkdir(exist_ok=True)
    rows = json.loads(STORE.read_text())["rows"] if STORE.exists() else []
    done = {(row["screen"], row["graph"], row["seed"]) for row in rows}
    names = list(graph_choices(arguments.data, list(go_genes()[:300]), 0))
    for screen in arguments.only:
        for seed in arguments.seeds:
            for name in names:
                if (screen, name, seed) in done:
                    continue
                result = score(arguments.data, screen, name, seed)
                rows.append({"screen": screen, "graph": name, "seed": seed, **result})
                STORE.write_text(
                    json.dumps({"environment": environment(), "rows": rows}, indent=1)
                )
                print(screen, seed, name, result, flush=True)
    frame = pd.DataFrame(rows)
    values = ["edges", "pearson_delta", "retrieval", "mse", "general"]
    print(mean_sd(frame, ["screen", "graph"], values).to_string())


if __name__ == "__main__":
    main()
