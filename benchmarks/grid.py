"""Find the screens on which TxPert loses to a simple baseline.

python benchmarks/grid.py [--axes size signal graph] [--seeds 0 1 2] [--jobs 2] [--quick]
    [--results FOLDER]

Simulated screens of 300 genes around a middle of 100 perturbations, medium signal and a graph with
30% of its edges wrong, one axis at a time: 10 to 2,000 perturbations; low to high signal; 0 to
100% of the edges wrong, also with 20 perturbations. 56% of the perturbations train, 19% validate,
25% test. "below in" names the scores by which TxPert's mean over seeds falls short of the best
baseline's by more than the standard deviation of the difference, and mse where its squared error
exceeds the general baseline's by more than 2%. Finished runs are kept in FOLDER/grid/; a second
call goes on where the first stopped. --quick is for tests: two tiny screens.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anndata as ad
import pandas as pd
from _common import RESULTS, quiet, store

import txpert as tx

SIGNALS = {"low": 0.06, "medium": 0.15, "high": 0.4}
MIDDLE = {"n": 100, "signal": "medium", "wrong": 0.3}
AXES: dict[str, list[dict[str, Any]]] = {
    "size": [{"n": n} for n in (10, 20, 50, 100, 200, 500, 1_000, 2_000)],
    "signal": [{"signal": signal} for signal in SIGNALS],
    "graph": [{"n": n, "wrong": wrong} for n in (20, 100) for wrong in (0.0, 0.3, 0.6, 1.0)],
}
QUICK: dict[str, list[dict[str, Any]]] = {"size": [{"n": n} for n in (10, 20)]}
BASELINES = ["general", "neighbors", "ridge"]
HEADERS = {
    "n": "perturbations",
    "wrong": "edges wrong",
    "pearson_delta": "Pearson Δ",
    "best pearson_delta": "best baseline",
    "sd pearson_delta": "sd of difference",
    "best retrieval": "best baseline",
    "sd retrieval": "sd of difference",
    "relative_mse": "MSE / general's",
}


def screen(cell: dict[str, Any], seed: int) -> tuple[ad.AnnData, tx.graph.KnowledgeGraph]:
    parameters = tx.datasets.SimulationParameters.k562_like(n_genes=2_000)
    parameters = replace(parameters, effect_scale=SIGNALS[cell["signal"]])
    adata = tx.datasets.simulate(cell["n"], 300, 40, n_batches=4, parameters=parameters, seed=seed)
    tx.pp.normalize(adata)
    wrong = cell["wrong"]
    graph = tx.datasets.simulated_graph(adata, missing=wrong, wrong=wrong, seed=seed)
    return adata, graph.top_k(20)


def compare(cell: dict[str, Any], seed: int, folder: Path, jobs: int, train: dict) -> list[dict]:
    """Return one row per model."""
    adata, graph = screen(cell, seed)
    features = tx.graph.spectral_embedding(graph, 64)
    fit = tx.tl.fit_baseline
    name = "_".join(str(value) for value in cell.values())
    result = tx.benchmark(
        adata,
        {
            "TxPert": partial(tx.tl.fit_txpert, graphs=graph, train=train),
            "neighbors": partial(fit, kind="neighbors", graphs=graph),
            "ridge": partial(fit, kind="ridge", features=features),
        },
        task="unseen_perturbation",
        seeds=[seed],
        ceiling_repeats=0,
        folder=folder / f"{name}_{seed}",
        n_jobs=jobs,
    )
    scores = result.scores.groupby("model")[["pearson_delta", "retrieval", "mse"]].mean()
    relative = (scores["mse"] / scores.loc["general", "mse"]).rename("relative_mse")
    seconds = result.runs.set_index("model")["seconds"]
    frame = pd.concat([scores, relative, seconds], axis=1).reset_index()
    return [cell | {"seed": seed, **row} for row in frame.to_dict("records")]


def verdicts(rows: list[dict]) -> pd.DataFrame:
    """Compare TxPert with the best baseline of each cell, by each score."""
    frame = pd.DataFrame(rows)
    table = []
    for cell, part in frame.groupby(list(MIDDLE), sort=False):
        line = dict(zip(MIDDLE, cell, strict=True))
        below = []
        for score in ("pearson_delta", "retrieval"):
            wide = part.pivot(index="seed", columns="model", values=score)
            best = wide[BASELINES].mean().idxmax()
            difference = wide["TxPert"] - wide[best]
            line |= {score: wide["TxPert"].mean(), f"best {score}": wide[best].mean()}
            line[f"sd {score}"] = difference.std()
            if difference.mean() < -difference.std():
                below.append(score)
        line["relative_mse"] = part.loc[part["model"] == "TxPert", "relative_mse"].mean()
        if line["relative_mse"] > 1.02:
            below.append("mse")
        line["seconds"] = part.loc[part["model"] == "TxPert", "seconds"].mean()
        line["below in"] = ", ".join(below) or "-"
        table.append(line)
    return pd.DataFrame(table)


def write_table(table: pd.DataFrame, results: Path) -> None:
    """Write the verdicts to grid.md."""
    head = "# Grid of screens\n\nWritten by `benchmarks/grid.py`, which says what they are.\n"
    rows = [[_text(value) for value in row] for row in table.itertuples(index=False)]
    lines = [[HEADERS.get(name, name) for name in table], ["---"] * table.shape[1], *rows]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    (results / "grid.md").write_text(f"{head}\n{text}\n")


def _text(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if value >= 5 else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--axes", nargs="+", choices=AXES, default=list(AXES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="fits at a time")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet()
    train: dict[str, Any] = {"enable_progress_bar": False}
    if arguments.quick:
        train["max_epochs"] = 5
    axes = QUICK if arguments.quick else {axis: AXES[axis] for axis in arguments.axes}
    cells = [MIDDLE | cell for axis in axes.values() for cell in axis]
    distinct = list({tuple(cell.values()): cell for cell in cells}.values())
    rows: list[dict] = []
    for cell in distinct:
        for seed in arguments.seeds:
            folder = arguments.results / "grid"
            rows += compare(cell, seed, folder, arguments.jobs, train)
        table = verdicts(rows)
        store("grid", rows, folder=arguments.results, verdicts=table.to_dict("records"))
        print(table.tail(1).round(3).to_string(), flush=True)
    write_table(table, arguments.results)


if __name__ == "__main__":
    main()
