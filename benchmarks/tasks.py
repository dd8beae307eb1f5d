"""All three tasks on simulated screens: TxPert, GEARS, every baseline, oracles and ceilings.

python benchmarks/tasks.py [--only unseen_perturbation unseen_combination unseen_cell_line]
    [--size medium] [--seeds 0 1 2] [--gears PYTHON] [--paper hybrid_bmp gat] [--jobs 1]
    [--results FOLDER]

medium: tx.datasets.simulate_k562_like("medium"), about 600 perturbations and 2,000 genes, with 150
doubles for combinations and four cell lines for the line task. full: 160,000 cells × 5,000 genes,
unseen perturbations with TxPert and the baselines that need no training; it takes some 10 GB.
tiny: a minute, to see that all is well. The graph handed to the models is the true one with 30% of
its edges wrong.

PYTHON is the interpreter of an environment with cell-gears (README.md says how to make one); GEARS
is given few cells, or one fit would take hours, and the tables say how many. --paper adds models
of the paper to unseen perturbations: hybrid_bmp, its best for one cell line, and gat. Finished
runs are kept in FOLDER/tasks/; a second call goes on where the first stopped, and the tables have
every seed that was ever finished.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import anndata as ad
import matplotlib as mpl
import matplotlib.pyplot as plt
from _common import RESULTS, quiet, store
from _models import ORACLES, PAPERS, baselines, networks, oracles
from _peers import Peer, with_reports
from _tables import markdown, rows_of, summary, to_draw, with_stored

import txpert as tx

TASKS = ("unseen_perturbation", "unseen_combination", "unseen_cell_line")
SCREENS: dict[str, dict[str, dict[str, int]]] = {
    "medium": {
        "unseen_perturbation": {},
        "unseen_combination": {"n_doubles": 150},
        "unseen_cell_line": {"n_cell_lines": 4, "n_cells": 25},
    },
    "full": {"unseen_perturbation": {}},
    "tiny": {
        "unseen_perturbation": {},
        "unseen_combination": {"n_doubles": 12},
        "unseen_cell_line": {"n_cell_lines": 3},
    },
}
TINY = {"n_perturbations": 24, "n_genes": 60, "n_cells": 12, "n_batches": 2}
WRONG = 0.3
FIGURES = Path(__file__).parents[1] / "docs" / "_static"
Arguments = argparse.Namespace


def simulated(task: str, size: str, seed: int) -> ad.AnnData:
    """Return the log-normalized screen; the counts are needed no more."""
    options = SCREENS[size][task]
    if size == "tiny":
        adata = tx.datasets.simulate(**TINY | options, seed=seed)
    else:
        adata = tx.datasets.simulate_k562_like(size, **options, seed=seed)
    tx.pp.normalize(adata)
    del adata.layers["counts"]
    return adata


def peers(task: str, graph: tx.graph.KnowledgeGraph, arguments: Arguments) -> dict[str, Peer]:
    if not arguments.gears or task == "unseen_cell_line" or arguments.size == "full":
        return {}
    settings = {
        "max_cells": arguments.gears_cells,
        "max_controls": arguments.gears_controls,
        "epochs": arguments.gears_epochs,
    }
    reports = arguments.results / "tasks" / "peers"
    return {"GEARS": Peer("gears", arguments.gears, graph, reports, settings)}


def models(
    adata: ad.AnnData,
    task: str,
    graph: tx.graph.KnowledgeGraph,
    others: dict[str, Peer],
    arguments: Arguments,
) -> dict[str, Any]:
    train = {"max_epochs": 2} if arguments.size == "tiny" else {}
    paper = arguments.paper if task == "unseen_perturbation" else []
    found = networks(graph, paper=paper, **train)
    if arguments.size == "full":
        del found["MLP on gene embeddings"]
    features = tx.graph.spectral_embedding(graph, min(64, graph.n_nodes // 2))
    found |= others | baselines(graph, features) | oracles(adata, graph)
    if arguments.models:
        found = {name: found[name] for name in found if name in arguments.models}
    return found


def folder_of(task: str, arguments: Arguments) -> Path:
    return arguments.results / "tasks" / arguments.size / task


def run(task: str, seed: int, arguments: Arguments) -> None:
    """Compare on one screen, and keep scores, runs and ceilings in its folder."""
    adata = simulated(task, arguments.size, seed)
    graph = tx.datasets.simulated_graph(adata, missing=WRONG, wrong=WRONG, seed=seed).top_k(20)
    others = peers(task, graph, arguments)
    folder = folder_of(task, arguments) / f"seed_{seed}"
    result = tx.benchmark(
        adata,
        models(adata, task, graph, others, arguments),
        task=task,
        seeds=[seed],
        folder=folder,
        n_jobs=arguments.jobs,
    )
    runs = with_reports(result.runs, others)
    rows = [{"task": task, **row} for row in rows_of(result, runs)]
    (folder / "rows.json").write_text(json.dumps(rows, default=float))
    print(markdown(summary(rows, ["task", "group"]), ["task", "group"]), flush=True)


def collect(task: str, arguments: Arguments) -> None:
    """Store the rows of all seeds there are, their means, and a picture."""
    seeds = sorted(folder_of(task, arguments).glob("seed_*/rows.json"))
    rows = [row for file in seeds for row in json.loads(file.read_text())]
    name = f"tasks_{task}" if arguments.size == "medium" else f"tasks_{arguments.size}_{task}"
    if arguments.models:
        rows = with_stored(rows, arguments.results / f"{name}.json")
    means = summary(rows, ["task", "group"])
    store(name, rows, folder=arguments.results, size=arguments.size, summary=means)
    figure, axes = plt.subplots(figsize=(8, 4))
    baseline = tx.BenchmarkResult.load(seeds[0].parent).baseline
    tx.pl.benchmark_bars(to_draw(rows, baseline), oracles=ORACLES, ax=axes)
    arguments.figures.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.figures / f"{name}.png", dpi=150, bbox_inches="tight")
    plt.close(figure)


def tabulate(results: Path) -> None:
    """Write the means of all tasks and sizes in the folder to tasks.md."""
    blocks = []
    for size in SCREENS:
        for task in TASKS:
            name = f"tasks_{task}" if size == "medium" else f"tasks_{size}_{task}"
            file = results / f"{name}.json"
            content = json.loads(file.read_text()) if file.exists() else {}
            if "summary" in content:
                rows = [{"screen": size, **row} for row in content["summary"]]
                blocks.append(markdown(rows, ["screen", "task", "group"]))
    head = (
        "# Tasks\n\nWritten by `benchmarks/tasks.py`. Mean ± sd over seeds; each has a screen of "
        "its own. Seconds and memory are those of one fit and its prediction; GEARS' memory is "
        "that of its whole process, of the others what they add.\n\n"
    )
    (results / "tasks.md").write_text(head + "\n".join(blocks))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--size", choices=SCREENS, default="medium")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--models", nargs="+", help="measure these; rows of others stay")
    parser.add_argument("--paper", nargs="+", choices=PAPERS, default=[], help="where unseen")
    parser.add_argument("--gears", help="interpreter with cell-gears; without it no GEARS")
    parser.add_argument("--gears-cells", type=int, default=4, help="per perturbation")
    parser.add_argument("--gears-controls", type=int, default=200)
    parser.add_argument("--gears-epochs", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="fits at a time")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--figures", type=Path, default=FIGURES)
    arguments = parser.parse_args()
    quiet()
    mpl.use("Agg")
    for task in arguments.only:
        if task in SCREENS[arguments.size]:
            for seed in arguments.seeds:
                run(task, seed, arguments)
                collect(task, arguments)
    tabulate(arguments.results)


if __name__ == "__main__":
    main()
