"""Learning curves of strategies that choose the next perturbations to measure.

python benchmarks/next_experiment.py --data FOLDER [--seeds 0 1] [--until 0.8] [--results FOLDER]
    [--figure FILE]

K562 and RPE1 (Replogle 2022) with the 20 strongest edges per gene of STRING, and a simulated
screen of 300 knockdowns with the graph that made it; the Gaussian process alone. A fifth of the
perturbations is never measured and scored. Of the others a random tenth of all is measured at
first, and each strategy then adds a tenth at a time. Finished curves are kept in
next_experiment.json; a second call goes on where the first stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from _common import RESULTS, environment, quiet, shrink
from matplotlib.figure import Figure
from screens import Screen, human_string, score

import txpert as tx
from txpert._files import replacing
from txpert.effects._contexts import Context
from txpert.effects._design import STRATEGIES, Design
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._measured_effects import MeasuredEffects

STEP = 0.1
SIMULATED = "simulated"


def simulated() -> Screen:
    """Return effects of 300 simulated knockdowns on 500 genes, 40 cells each, and their graph."""
    parameters = tx.datasets.SimulationParameters(term_weights="uniform")
    cells = tx.datasets.simulate(300, 500, 40, n_batches=1, parameters=parameters, seed=0)
    tx.pp.normalize(cells)
    effects = tx.pp.pseudobulk(cells)
    effects = effects[~effects.obs["control"].to_numpy(dtype=bool)].copy()
    effects.X = effects.layers["delta"]
    return Screen(effects, {"simulated": tx.datasets.simulated_graph(cells)}, "perturbation")


def fit(screen: Screen, line: str, train: np.ndarray) -> GeneGaussianProcess:
    effects = MeasuredEffects.of(
        [(name,) for name in screen.name[train]], screen.delta[train], cell_line=line
    )
    return GeneGaussianProcess.fit(effects, kernels_of(screen, train))


def kernels_of(screen: Screen, rows: np.ndarray):
    anchors = pd.Index(np.unique(screen.name[rows]), dtype=object)
    return screen.kernels(tuple(screen.graphs)).among(anchors)


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


def tabulate(curves: dict[str, list[dict[str, float]]]) -> pd.DataFrame:
    """Return one row per screen, strategy, seed and step."""
    return pd.DataFrame(
        {"line": line, "strategy": strategy, "seed": int(seed), **step}
        for (line, strategy, seed, _), steps in ((k.split("/"), v) for k, v in curves.items())
        for step in steps
    )


def gains(table: pd.DataFrame) -> pd.DataFrame:
    """Compare each strategy with random choice over the curve, paired by seed.

    Mean and standard deviation over seeds of the mean difference in Pearson Δ, over the steps at
    which strategies have a choice: neither the first, which is the same, nor what all have in
    the end.
    """
    fraction = table["fraction"].round(6)
    between = (fraction > fraction.min()) & (fraction < 0.8)
    area = table[between].pivot_table(
        index=["line", "seed"], columns="strategy", values="pearson_delta"
    )
    difference = area.sub(area["random"], axis=0).drop(columns="random")
    by_line = difference.groupby(level="line")
    n_better = by_line.agg(lambda column: int((column > 0).sum()))
    return pd.concat(
        {"mean": by_line.mean(), "sd": by_line.std(ddof=1), "better in": n_better}, axis=1
    )


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw the curves, means over seeds, a panel per screen."""
    lines = list(dict.fromkeys(table["line"]))
    figure = Figure(figsize=(7.5, 2.9), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(lines)))
    looks = {"variance": "#0072B2", "d_optimal": "#009E73", "diverse": "#E69F00", "random": "0.4"}
    for ax, line in zip(axes, lines, strict=True):
        for strategy, color in looks.items():
            own = table[(table["line"] == line) & (table["strategy"] == strategy)]
            score = own.groupby("fraction")["pearson_delta"]
            mean, sd = score.mean(), score.std(ddof=1)
            style = "--" if strategy == "random" else "-"
            ax.plot(mean.index, mean, style, color=color, marker="o", markersize=3, label=strategy)
            if strategy in ("variance", "random"):
                ax.fill_between(mean.index, mean - sd, mean + sd, color=color, alpha=0.12, lw=0)
        ax.set_title(line, fontsize=10)
        ax.set_xlabel("fraction measured", fontsize=9)
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("Pearson Δ of the unmeasured", fontsize=9)
    axes[-1].legend(frameon=False, fontsize=8, loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    shrink(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--until", type=float, default=0.8, help="fraction measured at the end")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--figure", type=Path, help="PNG to draw")
    arguments = parser.parse_args()
    quiet()
    file = arguments.results / "next_experiment.json"
    done = json.loads(file.read_text())["curves"] if file.exists() else {}
    human, made = human_string(arguments.data), simulated()
    screens = {"K562": human, "RPE1": human, SIMULATED: made}
    for seed in arguments.seeds:
        for line, screen in screens.items():
            for strategy in STRATEGIES:
                name = f"{line}/{strategy}/{seed}/{arguments.until:g}"
                if name in done:
                    continue
                done[name] = list(curve(screen, line, strategy, seed, arguments.until))
                print(name, done[name][-1], flush=True)
                file.parent.mkdir(parents=True, exist_ok=True)
                content = {"environment": environment(), "curves": done}
                with replacing(file) as part:
                    part.write_text(json.dumps(content, indent=1))
    table = tabulate(done)
    shown = table.pivot_table(
        index=["line", "strategy"], columns="fraction", values="pearson_delta"
    )
    print(shown.round(3).to_string())
    print(gains(table).round(4).to_string())
    if arguments.figure is not None:
        draw(table, arguments.figure)


if __name__ == "__main__":
    main()
