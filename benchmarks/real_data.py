"""All models on small real screens, by tx.benchmark (seeds 0-2).

python benchmarks/real_data.py --data FOLDER [--only papalexi papalexi_folds singles doubles lines]
    [--seeds 0 1 2] [--paper hybrid_bmp gat] [--gears PYTHON] [--jobs 1] [--results FOLDER]

papalexi: each of the 20 knocked-out genes left out in turn. papalexi_folds: these in five folds,
two of the others for validation, with GEARS too if PYTHON is the interpreter of an environment
with cell-gears (README.md says how to make one): on all cells, for 10 epochs, after each of which
it halves its learning rate. singles: each of the single genes of Norman's K562 cells left out in
turn. doubles: its doubles whose two parts are both measured singly. lines: each glioblastoma line
left out in turn, its controls kept. FOLDER holds papalexi.h5ad, norman_mcfaline.h5ad and
string_links.tsv.gz. papalexi, with a median of 188 counts over its 299 genes, is scaled to the
median; the others come normalized. All models see the 20 strongest STRING links of each gene,
those called "among the targets" only the links between the screen's targets, GEARS those between
these and the genes that the 20 strongest link to them. --paper adds models of the paper. Finished
runs are kept in results/real_data/; a second call goes on where the first stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from _common import RESULTS, quiet, store
from _models import PAPERS, baselines, networks
from _peers import Peer, with_reports
from _tables import markdown, rows_of, summary, with_stored

import txpert as tx
from txpert.graph._several import named_for

STRONG = ("JAK2", "IFNGR1")
Case = tuple[ad.AnnData, dict[str, Any]]


def read(folder: Path, name: str) -> ad.AnnData:
    """Return a log-normalized screen, its controls marked."""
    adata = ad.read_h5ad(folder / f"{name}.h5ad")
    adata.obs["control"] = adata.obs["perturbation"] == "control"
    if "counts" not in adata.layers:
        tx.pp.normalize(adata, target_sum=float(np.median(np.asarray(adata.X.sum(axis=1)))))
    return adata


def norman(folder: Path) -> tuple[ad.AnnData, pd.Series]:
    """Return the K562 cells and the label of each."""
    adata = read(folder, "norman_mcfaline")
    adata = adata[adata.obs["cell_line"] == "K562"].copy()
    return adata, adata.obs["perturbation"].astype(str)


def left_out_in_turn(adata: ad.AnnData) -> Case:
    n_perturbations = adata.obs.loc[~adata.obs["control"], "perturbation"].nunique()
    options = {"n_folds": n_perturbations, "split_options": {"val_fraction": 0.0}}
    return adata, {"task": "unseen_perturbation", **options}


def papalexi(folder: Path) -> Case:
    return left_out_in_turn(read(folder, "papalexi"))


def papalexi_folds(folder: Path) -> Case:
    options = {"n_folds": 5, "split_options": {"val_fraction": 0.125}}
    return read(folder, "papalexi"), {"task": "unseen_perturbation", **options}


def singles(folder: Path) -> Case:
    adata, labels = norman(folder)
    return left_out_in_turn(adata[~labels.str.contains("+", regex=False)].copy())


def doubles(folder: Path) -> Case:
    adata, labels = norman(folder)
    known = set(labels)
    held_out = labels.map(lambda p: "+" in p and set(p.split("+")) <= known)
    adata.obs["split"] = held_out.map({True: "test", False: "train"}).mask(adata.obs["control"])
    return adata, {"task": None}


def lines(folder: Path) -> Case:
    adata = read(folder, "norman_mcfaline")
    return adata[adata.obs["cell_line"] != "K562"].copy(), {"task": "unseen_cell_line"}


SCREENS = {
    "papalexi": papalexi,
    "papalexi_folds": papalexi_folds,
    "singles": singles,
    "doubles": doubles,
    "lines": lines,
}


def string(folder: Path) -> tx.graph.KnowledgeGraph:
    """Read STRING; links have no direction, so both are kept."""
    return tx.graph.KnowledgeGraph.from_edges(
        folder / "string_links.tsv.gz", name="string", weight="combined_score", directed=False
    )


def peers(
    adata: ad.AnnData, screen: str, whole: tx.graph.KnowledgeGraph, arguments: argparse.Namespace
) -> dict[str, Peer]:
    if not arguments.gears or screen != "papalexi_folds":
        return {}
    targets = targets_of(adata)
    (named,), _ = named_for([whole], targets)
    edges = named.top_k(20).edges
    near = edges[edges["source"].isin(targets) | edges["target"].isin(targets)]
    graph = named.restrict(sorted({*targets, *near["source"], *near["target"]})).top_k(20)
    reports = arguments.results / "real_data" / "peers"
    return {"GEARS": Peer("gears", arguments.gears, graph, reports, {"epochs": 10})}


def targets_of(adata: ad.AnnData) -> list[str]:
    labels = adata.obs["perturbation"].astype(str).unique()
    return sorted({target for label in labels for target in label.split("+")} - {"control"})


def models(
    adata: ad.AnnData, whole: tx.graph.KnowledgeGraph, paper: Sequence[str]
) -> dict[str, Any]:
    targets = targets_of(adata)
    graph, among = whole.top_k(20), whole.restrict(targets).top_k(20)
    features = tx.graph.spectral_embedding(graph).reindex(targets).dropna()
    fit = tx.tl.fit_baseline
    txpert = partial(tx.tl.fit_txpert, train={"enable_progress_bar": False})
    without = partial(txpert, components=("mean", "gaussian_process"))
    return {
        **networks(graph, paper=paper, features=[features]),
        "TxPert, among the targets": partial(txpert, graphs=among),
        "TxPert without its network": partial(without, graphs=graph),
        "TxPert without its network, among the targets": partial(without, graphs=among),
        **baselines(graph, features),
        "neighbors, among the targets": partial(fit, kind="neighbors", graphs=among),
        "kernel, among the targets": partial(fit, kind="kernel", graphs=among),
    }


def named_scores(scores: pd.DataFrame, model: str, seed: int) -> dict[str, float]:
    """Return the Pearson Δ of the two strongest knock-outs, where there are such."""
    part = scores[(scores["model"] == model) & (scores["seed"] == seed)]
    of_label = part.groupby("perturbation")["pearson_delta"].mean()
    return {gene: float(of_label[gene]) for gene in STRONG if gene in of_label}


def run(screen: str, whole: tx.graph.KnowledgeGraph, arguments: argparse.Namespace) -> None:
    """Compare on one screen, and store rows and means."""
    adata, options = SCREENS[screen](arguments.data)
    others = peers(adata, screen, whole, arguments)
    chosen = models(adata, whole, arguments.paper) | others
    if arguments.models:
        chosen = {name: chosen[name] for name in chosen if name in arguments.models}
    result = tx.benchmark(
        adata,
        chosen,
        seeds=arguments.seeds,
        folder=arguments.results / "real_data" / screen,
        n_jobs=arguments.jobs,
        **options,
    )
    rows = [
        {"screen": screen, **row, **named_scores(result.scores, row["model"], row["seed"])}
        for row in rows_of(result, with_reports(result.runs, others))
    ]
    if arguments.models:
        rows = with_stored(rows, arguments.results / f"real_data_{screen}.json")
    means = summary(rows, ["screen", "group"])
    store(f"real_data_{screen}", rows, folder=arguments.results, summary=means)
    print(markdown(means, ["screen", "group"]), flush=True)


def tabulate(results: Path) -> None:
    """Write the means of all screens in the folder to real_data.md."""
    blocks = []
    for screen in SCREENS:
        file = results / f"real_data_{screen}.json"
        content = json.loads(file.read_text()) if file.exists() else {}
        if "summary" in content:
            blocks.append(markdown(content["summary"], ["screen", "group"]))
    head = (
        "# Real screens\n\nWritten by `benchmarks/real_data.py`. Mean ± sd over seeds. Relative "
        "MSE is the total squared error over the general baseline's; JAK2 and IFNGR1 are the "
        "Pearson Δ of these. Models see the 20 strongest STRING links of each gene, those called "
        "“among the targets” only the links between the screen's targets. Seconds and memory are "
        "those of one fit and its prediction.\n\n"
    )
    (results / "real_data.md").write_text(head + "\n".join(blocks))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data")
    parser.add_argument("--only", nargs="+", choices=SCREENS, default=list(SCREENS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--models", nargs="+", help="measure these; rows of others stay")
    parser.add_argument("--paper", nargs="+", choices=PAPERS, default=[])
    parser.add_argument("--gears", help="interpreter with cell-gears; without it no GEARS")
    parser.add_argument("--jobs", type=int, default=1, help="fits at a time")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet()
    whole = string(arguments.data)
    for screen in arguments.only:
        run(screen, whole, arguments)
        tabulate(arguments.results)


if __name__ == "__main__":
    main()
