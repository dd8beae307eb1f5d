"""How cost grows with cells, perturbations, genes, nodes and edges, and what bounds it.

python benchmarks/scaling.py [--only training pseudobulk predict kernel] [--quick]
    [--results FOLDER]

One axis at a time around a middle setting (MIDDLE), on synthetic data and one thread:

- training: forward and backward of the default network on condition means, one epoch in
  minibatches of 128; the middle has 128 perturbations, so one step. Along "nodes" every node keeps
  20 incoming edges. Along "edges" the number of nodes stays.
- pseudobulk: tx.pp.pseudobulk of sparse cells in memory, a tenth of the values not zero.
- predict: model.predict of the default (blended) model, when it remembers the walks of its genes.
- kernel: KernelBaseline, which fits GeneGaussianProcess: walks over the graph, variances, weights.

A row has the least seconds of up to five repeats (of the clock, and of the processor, which
neighbors on the machine disturb less) and bound_seconds: what the least work (_scaling_cases.py
has the formulas) takes at the speed that matrix products and copies reach on the machine in the
same call. Rows are kept when they are there; a second call goes on where the first stopped.
--quick is for tests: tiny values.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from _bounds import bound_seconds, measured_rates, repeated
from _common import RESULTS, quiet, store
from _scaling_cases import BATCH_SIZE, PER_NODE, QUESTIONS, Setting
from threadpoolctl import threadpool_limits
from tqdm import tqdm

MIDDLE: dict[str, Setting] = {
    "training": {"nodes": 2_000, "edges": 40_000, "genes": 2_000, "perturbations": BATCH_SIZE},
    "pseudobulk": {"cells": 50_000, "genes": 2_000, "perturbations": 500, "batches": 4},
    "predict": {"perturbations": 500, "batches": 4, "genes": 2_000},
    "kernel": {"perturbations": 500, "nodes": 2_500, "edges": 50_000, "genes": 1_000},
}
AXES: dict[str, dict[str, tuple[int, ...]]] = {
    "training": {
        "nodes": (500, 1_000, 2_000, 5_000, 10_000),
        "edges": (5_000, 20_000, 40_000, 80_000, 200_000),
        "genes": (500, 1_000, 2_000, 4_000, 8_000),
        "perturbations": (32, 64, 128, 500, 1_000, 2_000),
    },
    "pseudobulk": {"cells": (10_000, 20_000, 50_000, 100_000, 200_000)},
    "predict": {
        "perturbations": (20, 100, 500, 2_000),
        "batches": (1, 4, 12, 48),
        "genes": (500, 1_000, 2_000, 4_000, 8_000),
    },
    "kernel": {"perturbations": (50, 100, 200, 500, 1_000, 2_000)},
}
QUICK_MIDDLE: dict[str, Setting] = {
    "training": {"nodes": 30, "edges": 90, "genes": 20, "perturbations": 10},
    "pseudobulk": {"cells": 200, "genes": 20, "perturbations": 5, "batches": 2},
    "predict": {"perturbations": 5, "batches": 2, "genes": 20},
    "kernel": {"perturbations": 12, "nodes": 30, "edges": 90, "genes": 20},
}
QUICK_AXES: dict[str, dict[str, tuple[int, ...]]] = {
    "training": {"nodes": (20, 30), "perturbations": (10, 20)},
    "pseudobulk": {"cells": (100, 200)},
    "predict": {"perturbations": (2, 5)},
    "kernel": {"perturbations": (8, 12)},
}


def settings(only: list[str], quick: bool) -> Iterator[tuple[str, str, Setting]]:
    """Yield question, axis and setting of each point."""
    middle, axes = (QUICK_MIDDLE, QUICK_AXES) if quick else (MIDDLE, AXES)
    for question in only:
        for axis, values in axes[question].items():
            for value in values:
                setting = middle[question] | {axis: value}
                if axis == "nodes":
                    setting["edges"] = PER_NODE * value
                yield question, axis, setting


def run(only: list[str], quick: bool, folder: Path) -> list[dict[str, Any]]:
    kept = folder / "scaling.json"
    rows = json.loads(kept.read_text())["rows"] if kept.exists() else []
    known = {(row["question"], row["axis"], row["value"]) for row in rows}
    rates = measured_rates(n=128, repeats=3) if quick else measured_rates()
    for question, axis, setting in tqdm([*settings(only, quick)], disable=None):
        if (question, axis, setting[axis]) in known:
            continue
        action, work = QUESTIONS[question](setting)
        times = repeated(action, repeats=5)
        phases = work()
        row = {"question": question, "axis": axis, "value": setting[axis], "setting": setting}
        row |= times | {"bound_seconds": bound_seconds(phases, rates)}
        row["gflops"] = sum(phase.flops for phase in phases) / 1e9
        row["gigabytes"] = sum(phase.n_bytes for phase in phases) / 1e9
        rows.append(row)
        store("scaling", rows, folder=folder, rates=rates)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=QUESTIONS, default=list(QUESTIONS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        frame = pd.DataFrame(run(arguments.only, arguments.quick, arguments.results))
    frame["seconds_per_bound"] = frame["cpu_seconds"] / frame["bound_seconds"]
    print(frame.drop(columns="setting").round(4).to_string(index=False))


if __name__ == "__main__":
    main()
