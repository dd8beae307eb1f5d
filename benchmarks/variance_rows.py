"""How many rows the variances of the Gaussian process need.

python benchmarks/variance_rows.py --data FOLDER [--seeds 0 1 2] [--results FOLDER]

A fit looks for its variances at groups of rows, spread evenly, and leaves out covariances between
them; weights come from all rows. Unseen perturbations of K562 and RPE1 (Replogle 2022; one fold of
five per seed) and of a simulated screen of 2,000 perturbations × 1,000 genes are predicted after
fits by groups of several sizes, by the first group alone and by all. Scores go to
variance_rows.json.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from _common import RESULTS, quiet, store
from process_scaling import read_graphs, smooth_effects
from screens import folds, human_string, score
from threadpoolctl import threadpool_limits

from txpert.effects import _row_groups
from txpert.effects._covariance import Rows
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._measured_effects import MeasuredEffects

REAL, SIMULATED = (50, 100, 200, 400), (200, 400, 750, 1_600)


def screens(folder: Path) -> Iterator[tuple[str, list[str], np.ndarray, Any, tuple[int, ...]]]:
    """Yield name, perturbations, effects, graph and numbers of rows."""
    human = human_string(folder)
    for line in ("K562", "RPE1"):
        rows = np.flatnonzero(human.line == line)
        graph = human.graphs["string 20"]
        yield line, human.name[rows].tolist(), human.delta[rows], graph, REAL
    (graph,) = read_graphs(folder, 1)
    names, delta = smooth_effects(graph, 2_000)
    yield "simulated", names, delta[:, :1_000], graph, SIMULATED


def run(folder: Path, seeds: list[int]) -> Iterator[dict[str, Any]]:
    for screen, names, delta, graph, numbers in screens(folder):
        label = np.array(names)
        kernels = GeneKernels([graph], {}, pd.Index(sorted(names), dtype=object))
        for seed in seeds:
            train = folds(label, seed) != 0
            effects = MeasuredEffects.of([(name,) for name in label[train]], delta[train])
            asked = [(name,) for name in label[~train]]
            n_train = int(train.sum())
            for number, groups in itertools.product(numbers, ("first", "all")):
                if groups == "all" and number >= n_train:
                    continue
                began = time.process_time()
                with by_groups(number, only_first=groups == "first"):
                    process = GeneGaussianProcess.fit(effects, kernels)
                seconds = time.process_time() - began
                found = score(process.predict(asked, kernels).mean, delta[~train])
                row = {"screen": screen, "seed": seed, "n_rows": min(number, n_train)}
                row |= {"groups": groups, "n_train": n_train}
                yield {**row, **found, "cpu_seconds": seconds}


@contextmanager
def by_groups(n_rows: int, *, only_first: bool) -> Iterator[None]:
    """Fit variances to groups of so many rows."""
    found = _row_groups.groups_of

    def groups_of(rows: Rows) -> list[np.ndarray]:
        groups: list[np.ndarray] = found(rows)
        return groups[:1] if only_first else groups

    with (
        mock.patch.multiple(_row_groups, _MOST_TARGETS=n_rows, _MOST_ROWS=n_rows),
        mock.patch.object(_row_groups, "groups_of", groups_of),
    ):
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet()
    rows = []
    with threadpool_limits(1):
        for row in run(arguments.data, arguments.seeds):
            rows.append(row)
            print({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()})
            store("variance_rows", rows, folder=arguments.results)
    frame = pd.DataFrame(rows).groupby(["screen", "n_rows", "groups"], sort=False)
    print(frame[["pearson_delta", "retrieval", "mse", "cpu_seconds"]].mean().round(4).to_string())


if __name__ == "__main__":
    main()
