"""How good the baselines alone are on small real screens; there is nothing random in them.

python benchmarks/baselines.py --data FOLDER [--only papalexi doubles lines]

FOLDER holds papalexi.h5ad, norman_mcfaline.h5ad and string_links.tsv.gz. The squared error is
summed over all that is held out and given relative to that of the mean baseline. "kernel" and
"neighbours" see STRING among the targets, "whole" ones and the ridge's features all of STRING.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from _common import quiet, store
from real_data import STRONG, string_graph

import txpert as tx
from txpert import baselines as tb

Maker = Callable[[tx.data.ConditionTable], tb.MeanBaseline]


def whole_string(folder: Path) -> tx.graph.KnowledgeGraph:
    return tx.graph.KnowledgeGraph.from_edges(
        folder / "string_links.tsv.gz", name="string", weight="combined_score", directed=False
    ).top_k(20)


def makers(folder: Path, adata: ad.AnnData) -> dict[str, Maker]:
    graph, whole = string_graph(folder, adata), whole_string(folder)
    features = tx.graph.spectral_embedding(whole)
    return {
        "no change": tb.NoChangeBaseline,
        "mean": tb.MeanBaseline,
        "general": tb.GeneralBaseline,
        "matching mean": tb.MatchingMeanBaseline,
        "nearest cell line": tb.NearestCellLineBaseline,
        "weighted cell line": tb.WeightedCellLineBaseline,
        "batch only": tb.BatchOnlyBaseline,
        "ridge": lambda table: tb.RidgeBaseline(table, features),
        "ridge, 5 components": lambda table: tb.RidgeBaseline(table, features, n_components=5),
        "neighbours": lambda table: tb.NeighboursBaseline(table, graph),
        "neighbours, shrinkage 1": lambda t: tb.NeighboursBaseline(t, graph, shrinkage=1),
        "neighbours, not shrunk": lambda t: tb.NeighboursBaseline(t, graph, shrinkage=0),
        "neighbours, whole": lambda table: tb.NeighboursBaseline(table, whole),
        "kernel": lambda table: tb.KernelBaseline(table, graph),
        "kernel, whole": lambda table: tb.KernelBaseline(table, whole),
        "kernel, whole, time 10": lambda table: tb.KernelBaseline(table, whole, time=10),
    }


def read(folder: Path, name: str) -> ad.AnnData:
    adata = ad.read_h5ad(folder / f"{name}.h5ad")
    adata.obs["control"] = adata.obs["perturbation"] == "control"
    if "counts" not in adata.layers:
        tx.pp.normalize(adata)
    return adata


def papalexi(folder: Path) -> tuple[ad.AnnData, Iterator[tuple[str, pd.Series]]]:
    """Leave one knocked-out gene out in turn."""
    adata = read(folder, "papalexi")
    labels = adata.obs["perturbation"].astype(str)
    return adata, ((p, labels == p) for p in sorted(set(labels) - {"control"}))


def doubles(folder: Path) -> tuple[ad.AnnData, Iterator[tuple[str, pd.Series]]]:
    """Hold out the doubles of K562 whose two parts are both measured singly."""
    adata = read(folder, "norman_mcfaline")
    adata = adata[adata.obs["cell_line"] == "K562"].copy()
    labels = adata.obs["perturbation"].astype(str)
    held_out = {p for p in labels.unique() if "+" in p and set(p.split("+")) <= set(labels)}
    return adata, iter([("doubles", labels.isin(held_out))])


def lines(folder: Path) -> tuple[ad.AnnData, Iterator[tuple[str, pd.Series]]]:
    """Leave one glioblastoma line out in turn; its controls stay."""
    adata = read(folder, "norman_mcfaline")
    adata = adata[adata.obs["cell_line"] != "K562"].copy()
    line = adata.obs["cell_line"].astype(str)
    return adata, ((name, line == name) for name in sorted(set(line)))


TASKS = {"papalexi": papalexi, "doubles": doubles, "lines": lines}


def score(make: Maker, table: tx.data.ConditionTable) -> pd.DataFrame:
    """Return squared error and Pearson Δ of what is held out, and the seconds it took."""
    held = table.subset((table.obs["split"] == "test").to_numpy())
    start = time.perf_counter()
    prediction = make(table).predict(held.obs, controls=held.controls)
    seconds = time.perf_counter() - start
    predicted, _ = tx.data.average_over_batches(prediction.layers["delta"], held.obs)
    observed, obs = tx.data.average_over_batches(held.delta, held.obs)
    return obs.assign(
        squared_error=((predicted - observed) ** 2).sum(axis=1),
        pearson_delta=tx.metrics.pearson_delta(predicted, observed),
        seconds=seconds / len(obs),
    )


def run(folder: Path, task: str) -> list[dict]:
    adata, folds = TASKS[task](folder)
    made = makers(folder, adata)
    scores = []
    for _, held_out in folds:
        part = np.where(held_out, "test", "train").astype(object)
        adata.obs["split"] = pd.Series(part, adata.obs_names).mask(adata.obs["control"])
        table = tx.data.ConditionTable.from_anndata(tx.pp.pseudobulk(adata))
        scores += [score(make, table).assign(baseline=name) for name, make in made.items()]
    frame = pd.concat(scores)
    reference = frame.loc[frame["baseline"] == "mean", "squared_error"].sum()
    rows = []
    for name, part in frame.groupby("baseline", sort=False):
        row = {"task": task, "baseline": name, "n": len(part)}
        row["relative_squared_error"] = float(part["squared_error"].sum() / reference)
        row["pearson_delta"] = float(part["pearson_delta"].mean())
        strong = part.set_index(part["perturbation"].astype(str))["pearson_delta"]
        row |= {gene: float(strong[gene]) for gene in STRONG if gene in strong}
        row["seconds"] = float(part["seconds"].sum())
        rows.append({key: value for key, value in row.items() if value == value})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data")
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    arguments = parser.parse_args()
    quiet()
    rows = [row for task in arguments.only for row in run(arguments.data, task)]
    store("baselines", rows)
    table = pd.DataFrame(rows).set_index(["task", "baseline"])
    print(table.to_string(float_format="%.3f", na_rep=""))


if __name__ == "__main__":
    main()
