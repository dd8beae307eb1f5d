"""All three tasks on simulated screens of medium size: TxPert, all baselines and the ceilings.

python benchmarks/tasks.py [--only unseen_perturbation unseen_combination unseen_cell_line]
    [--seeds 0 1 2] [--jobs 1]

The screens are tx.datasets.simulate_k562_like("medium"): about 600 perturbations and 2,000 genes,
with 150 doubles for combinations and four cell lines for the line task. The graph handed to the
models is the true one with 30% of its edges wrong. Finished runs are kept in results/tasks/; a
second call goes on where the first stopped.
"""

from __future__ import annotations

import argparse
from functools import partial

from _common import PAPER, RESULTS, quiet, store

import txpert as tx

SCREENS = {
    "unseen_perturbation": {},
    "unseen_combination": {"n_doubles": 150},
    "unseen_cell_line": {"n_cell_lines": 4, "n_cells": 25},
}
WRONG = 0.3
METRICS = ["pearson_delta", "retrieval", "mse"]


def models(graph: tx.graph.KnowledgeGraph) -> dict:
    """TxPert with its defaults, the paper's model, and every baseline."""
    features = tx.graph.spectral_embedding(graph, 64)
    train = {"enable_progress_bar": False}
    txpert = partial(tx.tl.fit_txpert, graphs=graph, train=train)
    return {
        "TxPert": txpert,
        "TxPert, the paper's GAT": partial(txpert, **PAPER),
        "no change": "no_change",
        "mean": "mean",
        "general": "general",
        "matching mean": "matching_mean",
        "nearest cell line": "nearest_cell_line",
        "weighted cell line": "weighted_cell_line",
        "batch only": "batch_only",
        "ridge": partial(tx.tl.fit_baseline, kind="ridge", features=features),
        "neighbours": partial(tx.tl.fit_baseline, kind="neighbours", graphs=graph),
        "kernel": partial(tx.tl.fit_baseline, kind="kernel", graphs=graph),
    }


def run(task: str, seed: int, jobs: int) -> list[dict]:
    """One screen, split and training per seed; one row per model and metric."""
    adata = tx.datasets.simulate_k562_like("medium", seed=seed, **SCREENS[task])
    tx.pp.normalize(adata)
    graph = tx.datasets.simulated_graph(adata, missing=WRONG, wrong=WRONG, seed=seed).top_k(20)
    result = tx.benchmark(
        adata,
        models(graph),
        task=task,
        seeds=[seed],
        folder=RESULTS / "tasks" / f"{task}_{seed}",
        n_jobs=jobs,
    )
    by = "group" if task != "unseen_perturbation" else None
    rows = []
    for metric in METRICS:
        table = result.summary(metric, by=by).reset_index()
        rows += [{"task": task, "seed": seed, **row} for row in table.to_dict("records")]
    print(result.summary(by=by).to_string(), flush=True)
    print(result.runs.to_string(), flush=True)
    print(result.ceiling.to_string(), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SCREENS, default=list(SCREENS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    quiet()
    for task in arguments.only:
        rows = [row for seed in arguments.seeds for row in run(task, seed, arguments.jobs)]
        store(f"tasks_{task}", rows)


if __name__ == "__main__":
    main()
