"""How low the squared error in a line of which nothing was measured could be.

python benchmarks/unseen_line.py --data FOLDER [--results FOLDER]

K562 and RPE1 (Replogle 2022), each from the other: a fit of the Gaussian process with STRING and
GO to all perturbations of one line predicts those that both have in the other. Written to
unseen_line.json:

- what the process of the training line, and its mean effect, score in the other line;
- what they would score with factors that were fitted to the other line itself, which no model
  knows: one for the mean and one for the deviations from it (and a constant), or one for the
  deviations in each block of directions: bounds for whatever rescales predictions;
- scores when the deviations are multiplied by some factor: where error falls, retrieval does.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _common import RESULTS, quiet, store
from screens import Screen, human, score

from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._measured_effects import MeasuredEffects

GRAPHS = ("string 20", "go")
FACTORS = (1.0, 0.8, 0.6, 0.35)


def rows(screen: Screen, known: str, asked: str) -> Iterator[dict[str, Any]]:
    """Yield scores in one line after a fit to another."""
    train = np.flatnonzero(screen.line == known)
    test = np.flatnonzero(
        (screen.line == asked) & np.isin(screen.name, np.unique(screen.name[train]))
    )
    effects = MeasuredEffects.of(
        [(name,) for name in screen.name[train]],
        screen.delta[train],
        cell_line=[known] * len(train),
        modality=["all"] * len(train),
    )
    kernels = screen.kernels(GRAPHS)
    process = GeneGaussianProcess.fit(effects, kernels)
    names = [(name,) for name in screen.name[test]]
    context = {"cell_line": [known] * len(test), "modality": ["all"] * len(test)}
    mean = screen.delta[train].mean(axis=0, dtype=np.float64)
    deviations = process.predict(names, kernels, **context).mean.astype(np.float64) - mean
    observed = screen.delta[test].astype(np.float64)
    directions = process.directions
    assert directions is not None
    blocks = [
        deviations @ axes.T @ axes
        for axes in (
            directions.axes[first:last]
            for first, last in zip(directions.edges[:-1], directions.edges[1:], strict=True)
        )
    ]
    means = np.broadcast_to(mean, observed.shape)
    case = {"known": known, "asked": asked, "perturbations": len(test)}

    def found(what: str, predicted: np.ndarray) -> dict[str, Any]:
        return case | {"prediction": what} | score(predicted, observed)

    yield found("mean effect", means)
    for factor in FACTORS:
        yield found(f"mean effect + {factor:g} deviations", mean + factor * deviations)
    yield found("factors fitted to the truth", fitted(observed, [means, deviations]))
    rest = deviations - sum(blocks)
    yield found("factors by block fitted to the truth", fitted(observed, [means, *blocks, rest]))


def fitted(observed: np.ndarray, parts: list[np.ndarray]) -> np.ndarray:
    """Return the constant and multiples of the parts that are nearest to what was observed."""
    design = np.stack([np.ones(observed.size), *(part.ravel() for part in parts)], axis=1)
    factors = np.linalg.lstsq(design, observed.ravel(), rcond=None)[0]
    return (design @ factors).reshape(observed.shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet()
    screen = human(arguments.data)
    done = []
    for known, asked in (("K562", "RPE1"), ("RPE1", "K562")):
        for row in rows(screen, known, asked):
            done.append(row)
            print(
                f"{known} -> {asked}  {row['prediction']:37} {row['pearson_delta']:.3f} "
                f"{row['retrieval']:.3f} {row['mse']:.4f}",
                flush=True,
            )
    store("unseen_line", done, folder=arguments.results)


if __name__ == "__main__":
    main()
