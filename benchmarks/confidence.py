"""How far confidence in predictions is deserved: coverage, expected scores and risk–coverage.

python benchmarks/confidence.py --data FOLDER [--seeds 0] [--results FOLDER]

K562 and RPE1 (Replogle 2022), STRING with the 20 strongest edges per gene, the Gaussian process
alone, 5 folds of held-out perturbations per seed. Written to confidence.json: the fraction of
held-out Δ inside intervals of 50, 80 and 95%; the Pearson Δ expected and achieved; the mean
Pearson Δ of all predictions, and of those left when the least sure third is dropped.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _common import RESULTS, quiet, store
from screens import Screen, folds, human_string

import txpert as tx
from txpert.effects._confidence import Confidence
from txpert.effects._contexts import Context
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._measured_effects import MeasuredEffects

LEVELS = (0.5, 0.8, 0.95)


def predict(screen: Screen, line: str, train: np.ndarray, test: np.ndarray) -> pd.DataFrame:
    """Return expected and achieved Pearson Δ and coverage of each held-out perturbation."""
    targets = pd.Index(np.unique(screen.name[train]), dtype=object)
    kernels = screen.kernels(("string 20",)).among(targets)
    effects = MeasuredEffects.of(
        [(name,) for name in screen.name[train]], screen.delta[train], cell_line=line
    )
    process = GeneGaussianProcess.fit(effects, kernels)
    confidence = Confidence.fit(process, kernels)
    asked = [(name,) for name in screen.name[test]]
    posterior = process.predict(
        asked, kernels, cell_line=line, return_std=True, return_specific=True
    )
    observed = screen.delta[test]
    error = np.abs(observed - posterior.mean)
    frame = pd.DataFrame(
        {
            "perturbation": screen.name[test],
            "expected": confidence.expected(
                process, kernels, asked, [Context(line, "all")] * len(asked)
            ),
            "achieved": tx.metrics.pearson_delta(posterior.mean, observed),
            "specific": posterior.specific,
        }
    )
    for level in LEVELS:
        reach = confidence.quantile(level) * posterior.std
        frame[f"inside {level:.0%}"] = (error <= reach).mean(axis=1)
    return frame


def summarize(frame: pd.DataFrame) -> dict[str, float]:
    """Return the summary of one line and seed."""
    sure = frame[frame["expected"] >= frame["expected"].quantile(1 / 3)]
    third = frame[frame["expected"] < frame["expected"].quantile(1 / 3)]
    found = {
        "n": len(frame),
        "expected": frame["expected"].mean(),
        "achieved": frame["achieved"].mean(),
        "mean absolute error of the expected": (frame["expected"] - frame["achieved"])
        .abs()
        .mean(),
        "correlation of expected and achieved": frame["expected"].corr(frame["achieved"]),
        "achieved without the least sure third": sure["achieved"].mean(),
        "achieved of the least sure third": third["achieved"].mean(),
    }
    inside = {name: frame[name].mean() for name in frame if name.startswith("inside")}
    return {name: float(value) for name, value in (found | inside).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet()
    screen = human_string(arguments.data)
    rows = []
    for line in ("K562", "RPE1"):
        of_line = np.flatnonzero(screen.line == line)
        for seed in arguments.seeds:
            began, fold = time.time(), folds(screen.name[of_line], seed)
            parts = [
                predict(screen, line, of_line[fold != k], of_line[fold == k]) for k in range(5)
            ]
            rows.append({"line": line, "seed": seed, **summarize(pd.concat(parts))})
            rows[-1]["seconds"] = time.time() - began
            print(pd.Series(rows[-1]).to_string(), flush=True)
            store("confidence", rows, folder=arguments.results)


if __name__ == "__main__":
    main()
