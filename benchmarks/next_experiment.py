"""Learning curves of strategies that choose the next perturbations to measure.

python benchmarks/next_experiment.py --data FOLDER [--seeds 0 1] [--until 0.5] [--results FOLDER]

K562 and RPE1 (Replogle 2022), STRING with the 20 strongest edges per gene, the Gaussian process
alone. A fifth of the perturbations is never measured and scored. Of the others a random tenth of
all is measured at first, and each strategy then adds a tenth at a time. Finished steps are kept in
next_experiment.json; a second call goes on where the first stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from _common import RESULTS, environment, quiet
from screens import Screen, human_string, score

from txpert.effects._contexts import Context
from txpert.effects._design import STRATEGIES, Design
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._measured_effects import MeasuredEffects

STEP = 0.1


def fit(screen: Screen, line: str, train: np.ndarray) -> GeneGaussianProcess:
    effects = MeasuredEffects.of(
        [(name,) for name in screen.name[train]], screen.delta[train], cell_line=line
    )
    return GeneGaussianProcess.fit(effects, kernels_of(screen, train))


def kernels_of(screen: Screen, rows: np.ndarray):
    anchors = pd.Index(np.unique(screen.name[rows]), dtype=object)
    return screen.kernels(("string 20",)).among(anchors)


def evaluate(
    screen: Screen, line: str, train: np.ndarray, test: np.ndarray
) -> tuple[GeneGaussianProcess, dict[str, float]]:
    process = fit(screen, line, train)
    asked = [(name,) for name in screen.name[test]]
    predicted = process.predict(asked, kernels_of(screen, train), cell_line=line).mean
    return process, score(predicted, screen.delta[test])


def curve(
    screen: Screen, line: str, strategy: str, seed: int, until: float
) -> Iterator[dict[str, float]]:
    """Yield the scores after each step."""
    rows = np.flatnonzero(screen.line == line)
    order = np.random.default_rng(seed).permutation(rows)
    test, pool = order[: len(rows) // 5], order[len(rows) // 5 :]
    at_once = int(STEP * len(rows))
    train, pool = pool[:at_once], pool[at_once:]
    step = 1
    while step * STEP <= until + 1e-9:
        process, found = evaluate(screen, line, train, test)
        yield {"fraction": step * STEP, "n": len(train), **found}
        candidates = np.r_[pool, test]
        design = Design.of(
            process,
            kernels_of(screen, rows),
            [(name,) for name in screen.name[candidates]],
            Context(line, "all"),
        )
        allowed = np.arange(len(candidates)) < len(pool)
        cost = np.ones(len(candidates))
        chosen = design.choose(at_once, strategy, cost, allowed, 100 * seed + step).chosen
        train = np.r_[train, candidates[chosen]]
        pool = np.setdiff1d(pool, candidates[chosen])
        step += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--until", type=float, default=0.5, help="fraction measured at the end")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet()
    file = arguments.results / "next_experiment.json"
    done = json.loads(file.read_text())["curves"] if file.exists() else {}
    screen = human_string(arguments.data)
    for seed in arguments.seeds:
        for line in ("K562", "RPE1"):
            for strategy in STRATEGIES:
                name = f"{line}/{strategy}/{seed}/{arguments.until:g}"
                if name in done:
                    continue
                done[name] = list(curve(screen, line, strategy, seed, arguments.until))
                print(name, done[name][-1], flush=True)
                file.parent.mkdir(parents=True, exist_ok=True)
                content = {"environment": environment(), "curves": done}
                file.write_text(json.dumps(content, indent=1))
    rows = [
        {"line": (parts := name.split("/"))[0], "strategy": parts[1], "seed": parts[2], **step}
        for name, steps in done.items()
        for step in steps
    ]
    table = pd.DataFrame(rows).pivot_table(
        index=["line", "strategy"], columns="fraction", values="pearson_delta"
    )
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
