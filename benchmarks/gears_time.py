"""How long TxPert and GEARS take to their own best validation score, on the same screen and graph.

python benchmarks/gears_time.py --gears PYTHON [--perturbations 200] [--cells 60] [--genes 1000]
    [--epochs 10] [--seeds 0] [--results FOLDER]

PYTHON is the interpreter of an environment with cell-gears (README.md says how to make one). The
screen is simulated with the statistics of K562 and split by perturbation; 30% of the graph's edges
are wrong. TxPert trains with all defaults until it stops by itself, GEARS for so many epochs with
its own defaults, on all cells it can use.

"seconds_to_best" runs from the start of training until the end of the epoch, its validation
included, that the tool itself would keep: for TxPert that of the network's best validation
Pearson Δ, for GEARS that of the lowest validation MSE of the top 20 differential genes. "seconds"
is all of training, TxPert's blend included. What comes before counts apart, as
"preparation_seconds": TxPert's setup and model, GEARS' graphs of the cells and its co-expression
graph. "cpu_seconds" hardly depend on what else the machine does, if there is one thread
(TXPERT_THREADS=1 OMP_NUM_THREADS=1). Finished fits are kept in FOLDER/gears_time.json with the
curves; a second call goes on where the first stopped.

GEARS halves its learning rate after each epoch, so later epochs differ little and which is best is
partly chance: look at the curves before quoting one seed.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import anndata as ad
import lightning.pytorch as pl
import numpy as np
import pandas as pd
import scvi
from _common import RESULTS, quiet, store
from _peers import run_peer

import txpert as tx

WRONG = 0.3
SIZES = ("perturbations", "cells", "genes", "epochs")
BEST = {"TxPert": np.nanargmax, "GEARS": np.nanargmin}
"""How each tool picks its epoch: by Pearson Δ, by squared error."""
TIMES = ["seconds_to_best", "cpu_seconds_to_best", "seconds", "cpu_seconds"]
COLUMNS = ["tool", "n_epochs", "best_epoch", "seconds_per_epoch", *TIMES, "preparation_seconds"]


class Clock(pl.Callback):
    """Notes when each epoch ended and its validation score."""

    def __init__(self) -> None:
        self.start = self.now()
        self.seen: list[dict[str, float]] = []

    @staticmethod
    def now() -> np.ndarray:
        """Return seconds of the wall clock and of this process."""
        return np.array([time.perf_counter(), time.process_time()])

    def passed(self) -> dict[str, float]:
        """Return both since the start."""
        seconds, cpu_seconds = (self.now() - self.start).tolist()
        return {"seconds": seconds, "cpu_seconds": cpu_seconds}

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the time and the score."""
        score = float(trainer.callback_metrics["pearson_delta_validation"])
        epoch = trainer.current_epoch + 1
        self.seen.append(self.passed() | {"epoch": epoch, "validation": score})


def screen(sizes: dict[str, int], seed: int) -> tuple[ad.AnnData, tx.graph.KnowledgeGraph]:
    parameters = tx.datasets.SimulationParameters.k562_like(sizes["genes"])
    adata = tx.datasets.simulate(
        sizes["perturbations"], sizes["genes"], sizes["cells"], parameters=parameters, seed=seed
    )
    tx.pp.normalize(adata)
    del adata.layers["counts"]
    tx.pp.split(adata, seed=seed)
    graph = tx.datasets.simulated_graph(adata, missing=WRONG, wrong=WRONG, seed=seed)
    return adata, graph.top_k(20)


def to_best(tool: str, curve: pd.DataFrame) -> dict[str, float]:
    """Return the tool's best epoch, counted from 1, its validation score and the times to it.

    The curve has a row per validation with epoch (by default one each), validation, seconds and
    cpu_seconds, the times from the start of training to the end of the validation. Of equal epochs
    the first is the best; undefined scores are none.
    """
    place = int(BEST[tool](curve["validation"]))
    best = curve.iloc[place]
    epoch = curve["epoch"] if "epoch" in curve else pd.Series(range(1, len(curve) + 1))
    n_epochs = int(epoch.iloc[-1])
    return {
        "n_epochs": n_epochs,
        "best_epoch": int(epoch.iloc[place]),
        "best_validation": float(best["validation"]),
        "seconds_per_epoch": float(curve["seconds"].iloc[-1]) / n_epochs,
        "seconds_to_best": float(best["seconds"]),
        "cpu_seconds_to_best": float(best["cpu_seconds"]),
    }


def fit_txpert(
    adata: ad.AnnData, graph: tx.graph.KnowledgeGraph, seed: int
) -> tuple[tx.TxPertModel, dict[str, Any]]:
    """Train TxPert with all defaults; return it and its row."""
    scvi.settings.seed = seed
    before = time.perf_counter()
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graphs=[graph])
    clock = Clock()
    prepared = time.perf_counter() - before
    model.train(callbacks=[clock], enable_progress_bar=False)
    row = clock.passed() | {"preparation_seconds": prepared}
    row["n_cells"] = int((adata.obs["split"].isin(["train", "val"]) | adata.obs["control"]).sum())
    return model, to_best("TxPert", pd.DataFrame(clock.seen)) | row | {"curve": clock.seen}


def fit_gears(
    python: str, adata: ad.AnnData, graph: tx.graph.KnowledgeGraph, **settings: int
) -> tuple[ad.AnnData, dict[str, Any]]:
    """Train GEARS in its own interpreter; return its prediction and its row."""
    predicted = run_peer("gears", python, adata, graph, **settings)
    report = predicted.uns["peer"]
    curve = report["curve"][["seconds", "cpu_seconds", "validation"]]
    last = curve.iloc[-1]
    before = report["data_seconds"] + report["training_seconds"] - last["seconds"]
    row = {
        "seconds": float(last["seconds"]),
        "cpu_seconds": float(last["cpu_seconds"]),
        "preparation_seconds": float(before),
        "n_cells": int(report["n_cells"]),
        "version": str(report["version"]),
    }
    return predicted, to_best("GEARS", curve) | row | {"curve": curve.to_dict("records")}


def measure(tool: str, python: str, sizes: dict[str, int], seed: int) -> dict[str, Any]:
    """Train one tool and return its row, with the test score next to the times.

    TxPert is trained in any case: the scores of others are taken next to its own.
    """
    adata, graph = screen(sizes, seed)
    model, row = fit_txpert(adata, graph, seed)
    others = {}
    if tool == "GEARS":
        predicted, row = fit_gears(python, adata, graph, epochs=sizes["epochs"], seed=seed)
        others[tool] = tx.baselines.StoredPrediction(predicted)
    summary = tx.tl.evaluate(adata, model, baselines=others)
    return {"tool": tool, **row, "test_pearson_delta": float(summary.loc[tool, "pearson_delta"])}


def case(sizes: dict[str, int], seed: int) -> dict[str, int]:
    """Return what a finished run is known again by."""
    return {
        "seed": seed,
        "n_perturbations": sizes["perturbations"],
        "n_genes": sizes["genes"],
        "cells_per_perturbation": sizes["cells"],
        "gears_epochs": sizes["epochs"],
    }


def ratios(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return how many times as long as TxPert GEARS takes, one row per screen and seed."""
    by = list(case(dict.fromkeys(SIZES, 0), 0))
    tools = {tool: part.set_index(by)[TIMES] for tool, part in pd.DataFrame(rows).groupby("tool")}
    return tools["GEARS"] / tools["TxPert"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gears", required=True, help="interpreter with cell-gears")
    parser.add_argument("--perturbations", type=int, default=200)
    parser.add_argument("--cells", type=int, default=60, help="per perturbation, in the median")
    parser.add_argument("--genes", type=int, default=1_000)
    parser.add_argument("--epochs", type=int, default=10, help="of GEARS")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet()
    kept = arguments.results / "gears_time.json"
    rows = json.loads(kept.read_text())["rows"] if kept.exists() else []
    sizes = {name: getattr(arguments, name) for name in SIZES}
    for seed in arguments.seeds:
        for tool in BEST:
            this = case(sizes, seed) | {"tool": tool}
            if not any(this.items() <= row.items() for row in rows):
                rows.append(this | measure(tool, arguments.gears, sizes, seed))
                store("gears_time", rows, folder=arguments.results)
    columns = ["n_perturbations", "n_genes", "n_cells", "seed", *COLUMNS, "test_pearson_delta"]
    print(pd.DataFrame(rows)[columns].to_string(index=False, float_format="{:.3f}".format))
    print("\nGEARS / TxPert")
    print(ratios(rows).to_string(float_format="{:.1f}".format))


if __name__ == "__main__":
    main()
