"""Explanations, matches and screens of candidates on real screens.

python benchmarks/decisions.py --data FOLDER [--only deletion retrieval screen] [--results FOLDER]
    [--figure FILE]

K562 and RPE1 (Replogle 2022), STRING with the 20 strongest edges per gene, the Gaussian process.
deletion: how far predictions of held-out perturbations move without the 1 to 20 training
perturbations that an explanation names first, and without as many random ones. retrieval: where
a held-out perturbation ranks when its observed Δ is the query, against measured and predicted
effects of the same line, and against measured effects of the other line. screen: seconds and
memory of ranking the genes of STRING and further ones, 20,000, and all pairs of them. Written to
decisions.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from _common import RESULTS, environment, quiet, shrink
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from next_experiment import fit, kernels_of
from screens import Screen, folds, human_string

import txpert as tx
from txpert.effects._contexts import Context
from txpert.effects._contributions import Contributions
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.graph import KnowledgeGraph
from txpert.model._additive import single_targets

N_GENES = 20_000
N_REMOVED = [1, 2, 5, 10, 20]


def without(process: GeneGaussianProcess, kernels: Any, gone: np.ndarray) -> GeneGaussianProcess:
    """Return the process without some rows, with the variances and directions of all."""
    rest = np.setdiff1d(np.arange(len(process.rows)), gone)
    less = replace(
        process, rows=process.rows.subset(rest), mean=[], weights=[], _inverses=[], _effects=[]
    )
    blocks = process.directions.split(process._effects[0])
    for block, covariance in zip(blocks, less._covariances(kernels), strict=True):
        less._solve(block[rest], covariance)
    return less


def deletion(screen: Screen, folder: Path) -> dict[str, Any]:
    """Return by how much of its norm each prediction changes, by number of rows removed."""
    rows = np.flatnonzero(screen.line == "K562")
    fold, rng = folds(screen.name[rows], 0), np.random.default_rng(0)
    train, test = rows[fold != 0], rows[fold == 0][:40]
    process, kernels = fit(screen, "K562", train), kernels_of(screen, train)
    changes: dict[str, list[list[float]]] = {"named": [], "random": []}
    for name in screen.name[test]:
        targets = (name,)
        before = process.predict([targets], kernels, cell_line="K562").mean[0]
        taken = Contributions.of(process, kernels, targets, Context("K562", "all"))
        along = np.abs(taken.along(before).sum(axis=0))
        orders = {"named": along.argsort()[::-1], "random": rng.permutation(len(along))}
        for which, order in orders.items():
            changes[which].append([])
            for n in N_REMOVED:
                less = without(process, kernels, order[:n])
                after = less.predict([targets], kernels, cell_line="K562").mean[0]
                change = np.linalg.norm(after - before) / np.linalg.norm(before)
                changes[which][-1].append(round(float(change), 5))
    named, drawn = (np.array(changes[which]) for which in ("named", "random"))
    five = N_REMOVED.index(5)
    return {
        "n": len(test),
        "perturbations": screen.name[test].tolist(),
        "removed": N_REMOVED,
        "changes": changes,
        "relative change without the named": float(named[:, five].mean()),
        "relative change without random ones": float(drawn[:, five].mean()),
        "larger without the named": float((named > drawn)[:, five].mean()),
    }


def draw_deletion(found: dict[str, Any], path: Path) -> None:
    """Draw the change of predictions against the number of training perturbations removed."""
    figure = Figure(figsize=(7, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    looks = {"named": ("named by explain", "#0072B2"), "random": ("random", "#D55E00")}
    for which, (label, color) in looks.items():
        changes = np.array(found["changes"][which])
        low, high = np.quantile(changes, [0.25, 0.75], axis=0)
        left.fill_between(found["removed"], low, high, color=color, alpha=0.2, linewidth=0)
        left.plot(found["removed"], changes.mean(axis=0), "o-", color=color, label=label)
    left.set_xscale("log")
    left.set_xticks(found["removed"], found["removed"])
    left.minorticks_off()
    left.set_xlabel("training perturbations removed")
    left.set_ylabel("change of the prediction")
    left.set_ylim(bottom=0)
    left.yaxis.set_major_formatter(PercentFormatter(1))
    left.legend(frameon=False, loc="upper left")
    five = found["removed"].index(5)
    named, drawn = (np.array(found["changes"][which])[:, five] for which in looks)
    right.scatter(drawn, named, s=14, color="#0072B2")
    ends = [min(named.min(), drawn.min()) / 1.5, max(named.max(), drawn.max()) * 1.5]
    right.plot(ends, ends, ":", color="0.4")
    right.set(xscale="log", yscale="log", xlim=ends, ylim=ends, title="5 removed, each prediction")
    right.set_xlabel("without 5 random ones")
    right.set_ylabel("without the 5 named first")
    for axis in (right.xaxis, right.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=None))
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    shrink(path)


def ranks(queries: np.ndarray, references: np.ndarray, own: np.ndarray) -> dict[str, float]:
    """Return how often the own reference is the first or among ten by correlation."""
    center = [x - x.mean(axis=1, keepdims=True) for x in (queries, references)]
    unit = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in center]
    scores = unit[0] @ unit[1].T
    rank = (scores > scores[np.arange(len(own)), own][:, None]).sum(axis=1)
    return {
        "n": len(own),
        "references": len(references),
        "first": float((rank == 0).mean()),
        "among ten": float((rank < 10).mean()),
        "median rank": float(np.median(rank) + 1),
    }


def retrieval(screen: Screen, folder: Path) -> dict[str, Any]:
    found = {}
    for line in ("K562", "RPE1"):
        rows = np.flatnonzero(screen.line == line)
        fold = folds(screen.name[rows], 0)
        parts, alone = [], []
        for k in range(5):
            train, test = rows[fold != k], rows[fold == k]
            process, kernels = fit(screen, line, train), kernels_of(screen, train)
            asked = [(name,) for name in screen.name[test]]
            predicted = process.predict(asked, kernels, cell_line=line).mean
            both = np.concatenate([screen.delta[train], predicted])
            parts.append(ranks(screen.delta[test], both, len(train) + np.arange(len(test))))
            alone.append(ranks(screen.delta[test], predicted, np.arange(len(test))))
        found[f"{line}, among measured and predicted"] = pd.DataFrame(parts).mean().to_dict()
        found[f"{line}, among predicted"] = pd.DataFrame(alone).mean().to_dict()
    other = np.flatnonzero(screen.line == "K562")
    own_line = np.flatnonzero(screen.line == "RPE1")
    position = pd.Index(screen.name[other]).get_indexer(screen.name[own_line])
    known = position >= 0
    found["RPE1, among measured of K562"] = ranks(
        screen.delta[own_line[known]], screen.delta[other], position[known]
    )
    return found


def with_nodes(graph: KnowledgeGraph, folder: Path, n: int) -> KnowledgeGraph:
    """Add genes without an edge until the graph has n that are no names of controls."""
    symbols = pd.read_csv(folder / "gene_info.tsv.gz", sep="\t")["symbol"].astype(str)
    more = symbols[~symbols.isin(graph.nodes)].drop_duplicates()
    usable = len(single_targets(graph.nodes))
    nodes = [*graph.nodes, *single_targets(pd.Index(more))[: n - usable]]
    return KnowledgeGraph(graph.name, nodes, graph.source, graph.target, graph.weight)


def ranking(screen: Screen, folder: Path) -> dict[str, Any]:
    """Time singles and pairs of 20,000 genes, for a model of K562."""
    adata = ad.read_h5ad(folder / "replogle_up.h5ad")
    adata = adata[(adata.obs["cell_line"] == "K562").to_numpy()].copy()
    adata.obs["split"] = "train"
    tx.TxPertModel.setup_anndata(adata)
    components = ("mean", "gaussian_process")
    graph = with_nodes(screen.graphs["string 20"], folder, N_GENES)
    model = tx.TxPertModel(adata, graph, components=components)
    model.train()
    rows = np.flatnonzero(screen.line == "K562")
    signature = pd.Series(screen.delta[rows[0]], index=model.genes)
    found = {"nodes": len(model.nodes), "genes": len(model.genes), "load": os.getloadavg()[0]}
    for order, score in ((1, "cosine"), (1, "cosine"), (2, "dot"), (2, "cosine"), (2, "pearson")):
        began, processor = time.time(), time.process_time()
        result = tx.tl.screen(
            model,
            signature,
            order=order,
            score=score,
            top=10_000,
            min_specific=0,
            enable_progress_bar=False,
        )
        case = f"order {order}, {score}"
        found[f"{case}, again" if case in found else case] = {
            "seconds": time.time() - began,
            "processor seconds": time.process_time() - processor,
            "ranked": result.attrs["n_ranked"],
            "best": result["perturbation"][0],
            "peak GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        }
        print(json.dumps(found, indent=1), flush=True)
    return found


CASES = {"deletion": deletion, "retrieval": retrieval, "screen": ranking}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--figure", type=Path, help="PNG of the deletions to draw")
    arguments = parser.parse_args()
    quiet()
    warnings.simplefilter("ignore")
    file = arguments.results / "decisions.json"
    done = json.loads(file.read_text()) if file.exists() else {}
    screen = human_string(arguments.data)
    for name in arguments.only:
        done[name] = CASES[name](screen, arguments.data) | {"environment": environment()}
        print(json.dumps(done[name], indent=1), flush=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(done, indent=1))
    if arguments.figure is not None:
        draw_deletion(done["deletion"], arguments.figure)


if __name__ == "__main__":
    main()
