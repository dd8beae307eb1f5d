"""Seconds and memory of TxPert, of its process, of the exact kernels before it, and of GEARS.

python benchmarks/cost_curves.py --data FOLDER [--gears PYTHON] [--before SRC] [--repeats 3]
    [--only perturbations genes graphs asked] [--quick] [--results FOLDER]

One axis at a time around MIDDLE: training perturbations, measured genes, graphs, and genes asked
for. All tools get the same cells (ten per perturbation, 300 controls) and the same graphs: of
STRING, GO, BioGRID and IntAct the 20 strongest edges of each gene. Effects are smooth over STRING.

- TxPert: setup, the default model, training until it stops by itself.
- process: means of conditions and KernelBaseline, TxPert's Gaussian process alone.
- exact kernels: KernelBaseline of an earlier version, which had a dense kernel of all
  perturbations in memory for each scale of each graph. SRC is the folder ``src`` of such a
  version: git worktree add before ef15e47.
- GEARS: preparation and one epoch of its 20, on all cells. It takes one graph. PYTHON is that of
  an environment with cell-gears (README.md).

Every fit runs in a process of its own, on one thread, with an empty cache folder; tools take turns
on a screen. Seconds are of the clock, medians of the repeats (GEARS, and what took over a minute:
once), those of each run kept next to them; memory is the peak of the process. The bound is what
the least work takes at the speed of products and copies measured in the same call: reading the
cells, a Cholesky factor for each block of directions, the weights, and the product and writing of
a prediction. Rows are kept, and a second call goes on where the first stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from _bounds import Phase, bound_seconds, measured_rates
from _common import RESULTS, quiet, store
from _peers import run_peer
from process_scaling import read_graphs, smooth_effects
from scipy import sparse
from tqdm import tqdm

from txpert.graph import KnowledgeGraph

Setting = dict[str, int]
MIDDLE: Setting = {"perturbations": 300, "genes": 1_000, "graphs": 1, "asked": 1_000}
AXES: dict[str, tuple[int, ...]] = {
    "perturbations": (100, 300, 1_000, 3_000, 10_000),
    "genes": (500, 1_000, 2_000, 5_000),
    "graphs": (1, 2, 4),
    "asked": (100, 1_000, 5_000),
}
QUICK_MIDDLE: Setting = {"perturbations": 20, "genes": 30, "graphs": 1, "asked": 5}
QUICK_AXES: dict[str, tuple[int, ...]] = {"perturbations": (20, 30), "asked": (5, 10)}
OURS, EXACT, PEER = ("TxPert", "process"), "exact kernels", "GEARS"
MOST = {EXACT: 3_000, PEER: 1_000}
"""Most perturbations: dense kernels grow with their square, epochs with their cells."""
CELLS, CONTROLS, BLOCKS, ONCE = 10, 300, 8, 60.0
TIMED = ("fit_seconds", "predict_seconds", "peak_gb")
WORKER = Path(__file__).parent / "_cost_worker.py"


def settings(only: list[str], quick: bool) -> list[Setting]:
    """Return the points of some axes, each once: the middle is on all of them."""
    middle, axes = (QUICK_MIDDLE, QUICK_AXES) if quick else (MIDDLE, AXES)
    points = [middle | {axis: value} for axis in only for value in axes.get(axis, ())]
    return [point for i, point in enumerate(points) if point not in points[:i]]


def screen(graphs: list[KnowledgeGraph], setting: Setting) -> tuple[ad.AnnData, list[str]]:
    """Make log-normalized cells of training and validation, and the labels asked for."""
    names, effects = smooth_effects(graphs[0], setting["perturbations"], setting["genes"])
    rng = np.random.default_rng(1)
    profile = rng.gamma(0.5, 1.0, setting["genes"]).astype(np.float32)
    labels = np.repeat(["control", *names], [CONTROLS, *[CELLS] * len(names)])
    means = np.vstack([np.zeros_like(profile), effects / 10])
    code = np.repeat(np.arange(len(names) + 1), [CONTROLS, *[CELLS] * len(names)])
    blocks = []
    for part in np.array_split(code, -(-len(code) // 5_000)):
        noise = rng.standard_normal((len(part), len(profile)), dtype=np.float32)
        values = profile + means[part] + 0.5 * noise
        blocks.append(sparse.csr_matrix(np.where(values > 0.5, values, 0)))
    held_out = set(names[::10])
    obs = pd.DataFrame(
        {
            "perturbation": pd.Categorical(labels),
            "control": labels == "control",
            "split": np.where([label in held_out for label in labels], "val", "train"),
        },
        index=np.arange(len(labels)).astype(str),
    )
    others = [node for node in graphs[0].nodes if node not in set(names)]
    var = pd.DataFrame(index=[f"MEASURED{i}" for i in range(len(profile))])
    cells = ad.AnnData(sparse.vstack(blocks, format="csr"), obs=obs, var=var)
    return cells, others[: setting["asked"]]


def bounds(cells: ad.AnnData, setting: Setting, rates: dict[str, float]) -> dict[str, float]:
    n, n_genes, n_asked = (setting[name] for name in ("perturbations", "genes", "asked"))
    fit = [
        Phase(n_bytes=8 * cells.X.nnz),
        Phase(flops=BLOCKS * n**3 / 3),
        Phase(flops=2 * n**2 * n_genes),
    ]
    predict = [Phase(flops=2 * n_asked * n * n_genes), Phase(n_bytes=8 * n_asked * n_genes)]
    return {"fit_bound": bound_seconds(fit, rates), "predict_bound": bound_seconds(predict, rates)}


def run_ours(tool: str, folder: Path, source: Path | None) -> dict[str, float]:
    """Fit and predict by a version of txpert, in a process of its own."""
    with tempfile.TemporaryDirectory() as cache:
        variables = os.environ | {"TXPERT_CACHE": cache}
        if source is not None:
            variables["PYTHONPATH"] = str(source)
        command = [sys.executable, str(WORKER), tool, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2_000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run_gears(
    python: str, cells: ad.AnnData, graph: KnowledgeGraph, labels: list[str]
) -> dict[str, float]:
    predicted = run_peer("gears", python, cells, graph, predict=labels, epochs=1)
    report = predicted.uns["peer"]
    return {
        "fit_seconds": float(report["data_seconds"] + report["training_seconds"]),
        "epoch_seconds": float(report["curve"]["seconds"].iloc[-1]),
        "predict_seconds": float(report["prediction_seconds"]),
        "peak_gb": float(report["peak_memory_mib"]) * 2**20 / 1e9,
    }


def medians(runs: list[dict[str, float]]) -> dict[str, Any]:
    """Return the median of each measure and, of several runs, all values."""
    row: dict[str, Any] = dict(runs[0])
    for name in TIMED:
        values = [run[name] for run in runs]
        row[name] = float(np.median(values))
        if len(values) > 1:
            row[f"{name}_of_runs"] = values
    return row


def measure(
    setting: Setting, tools: list[str], given: argparse.Namespace, rates: dict[str, float]
) -> Iterator[dict[str, Any]]:
    """Yield a row per tool; they take turns in each repeat."""
    graphs = [graph.top_k(20) for graph in read_graphs(given.data, setting["graphs"])]
    cells, labels = screen(graphs, setting)
    runs: dict[str, list[dict[str, float]]] = {tool: [] for tool in tools}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cells.write_h5ad(folder / "screen.h5ad")
        (folder / "asked.txt").write_text("\n".join(labels))
        for i, graph in enumerate(graphs):
            graph.edges.to_csv(folder / f"graph{i}.tsv", sep="\t", index=False)
        for _ in range(given.repeats):
            for tool, done in runs.items():
                if done and (tool == PEER or done[0]["fit_seconds"] > ONCE):
                    continue
                if tool == PEER:
                    done.append(run_gears(given.gears, cells, graphs[0], labels))
                else:
                    source = given.before if tool == EXACT else None
                    done.append(run_ours(tool, folder, source))
    for tool, done in runs.items():
        yield {"tool": tool, **setting, **medians(done), **bounds(cells, setting, rates)}


def wanted(setting: Setting, given: argparse.Namespace) -> list[str]:
    """Return the tools that a setting is measured with."""
    tools = [*OURS]
    if given.before and setting["perturbations"] <= MOST[EXACT]:
        tools.append(EXACT)
    if given.gears and setting["perturbations"] <= MOST[PEER] and setting["graphs"] == 1:
        tools.append(PEER)
    return tools


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the graphs")
    parser.add_argument("--gears", help="interpreter with cell-gears")
    parser.add_argument("--before", type=Path, help="folder src of an earlier version")
    parser.add_argument("--only", nargs="+", choices=AXES, default=list(AXES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="tiny values, for tests")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    os.environ |= {"TXPERT_THREADS": "1", "OMP_NUM_THREADS": "1"}
    quiet()
    file = given.results / "cost_curves.json"
    rows = json.loads(file.read_text())["rows"] if file.exists() else []
    rates = measured_rates(n=128, repeats=3) if given.quick else measured_rates()
    for setting in tqdm(settings(given.only, given.quick), disable=None):
        tools = [
            tool
            for tool in wanted(setting, given)
            if not any({"tool": tool, **setting}.items() <= row.items() for row in rows)
        ]
        if tools:
            rows += measure(setting, tools, given, rates)
            store("cost_curves", rows, folder=given.results, rates=rates)
    columns = ["tool", *MIDDLE, *TIMED, "fit_bound", "predict_bound"]
    print(pd.DataFrame(rows)[columns].round(4).to_string(index=False))


if __name__ == "__main__":
    main()
