"""How long training takes: on condition means, on cells, and the default with several encoders.

python benchmarks/training.py [--size medium] [--seeds 0 1 2] [--minutes 40] [--only NAME …]
    [--profile] [--results FOLDER]

Simulated screens of tx.datasets.simulate_k562_like, split by perturbation. The first two fits are
of the network alone and differ in nothing but the unit; the others are of the whole default, the
blend included. "to_99_percent" is the time until the validation Pearson Δ first comes within 1% of
the best that the network reached on condition means. Seconds are of the processor, with one thread
those that a free core takes, whatever else runs. A fit is broken off after so many minutes
by the clock; the table says where. Memory is the peak beyond the data. Finished fits are kept in
FOLDER/training_SIZE.json; a second call goes on where the first stopped. --profile fits once and
prints the functions that take longest instead.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anndata as ad
import lightning.pytorch as pl
import pandas as pd
import scvi
from _common import RESULTS, mean_sd, quiet, store
from _tables import MEANS, to_99_percent

import txpert as tx
from txpert._benchmark._memory import peak_memory, reset_peak

WRONG = 0.3


@dataclass(frozen=True)
class Recipe:
    """Options of the model and of its training."""

    model: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    n_graphs: int = 1


NETWORK = {"components": "network"}
CELLS = {"unit": "cell", "batch_size": 64, "val_check_interval": 0.1}
FITS = {
    MEANS: Recipe(NETWORK),
    "network, cells": Recipe(NETWORK, CELLS),
    "default": Recipe(),
    "default, GAT": Recipe({"encoder": "gat"}),
    "default, Exphormer, two graphs": Recipe({"encoder": "exphormer"}, n_graphs=2),
}
COLUMNS = ["seconds", "to_99_percent", "best_validation", "test_pearson_delta", "peak_memory_mb"]


class Clock(pl.Callback):
    """Notes when each validation ended and its score."""

    def __init__(self) -> None:
        self.start = time.process_time()
        self.seen: list[tuple[float, float]] = []

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the time and the score."""
        score = float(trainer.callback_metrics["pearson_delta_validation"])
        self.seen.append((time.process_time() - self.start, score))


def screen(size: str, seed: int, n: int) -> tuple[ad.AnnData, list[tx.graph.KnowledgeGraph]]:
    """Make a screen and n noisy views of its graph."""
    adata = tx.datasets.simulate_k562_like(size, seed=seed)
    tx.pp.normalize(adata)
    del adata.layers["counts"]
    tx.pp.split(adata, seed=seed)
    noisy = tx.datasets.simulated_graph
    views = [noisy(adata, missing=WRONG, wrong=WRONG, seed=seed + 100 * i) for i in range(n)]
    return adata, [graph.top_k(20) for graph in views]


def fit(name: str, size: str, seed: int, minutes: int) -> dict[str, Any]:
    """Train once; return times, memory and scores."""
    recipe = FITS[name]
    adata, graphs = screen(size, seed, recipe.n_graphs)
    scvi.settings.seed = seed
    before, clock, start = reset_peak(), Clock(), time.monotonic()
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graphs=graphs, **recipe.model)
    model.train(
        callbacks=[clock],
        max_time={"minutes": minutes},
        enable_progress_bar=False,
        **recipe.train,
    )
    seconds = time.process_time() - clock.start
    more = peak_memory() - before
    tx.tl.evaluate(adata, model, baselines={})
    return {
        "seconds": seconds,
        "broken_off": time.monotonic() - start > 60 * minutes,
        "best_validation": max(score for _, score in clock.seen),
        "test_pearson_delta": float(adata.uns["txpert"]["metrics"]["pearson_delta"].mean()),
        "peak_memory_mb": more,
        "curve": clock.seen,
    }


def profile(name: str, size: str, seed: int, minutes: int) -> None:
    """Print the functions of the package and of torch that a fit spends its time in."""
    with cProfile.Profile() as seen:
        fit(name, size, seed, minutes)
    names = r"txpert/(data|model|metrics|nn|baselines)|_svd|automatic\.py|adam\.py|run_backward"
    pstats.Stats(seen).sort_stats("cumulative").print_stats(names, 40)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=("medium", "full"), default="medium")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--minutes", type=int, default=40)
    parser.add_argument("--only", nargs="+", choices=FITS, default=list(FITS))
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet()
    if arguments.profile:
        profile(arguments.only[0], arguments.size, arguments.seeds[0], arguments.minutes)
        return
    name = f"training_{arguments.size}"
    kept = arguments.results / f"{name}.json"
    rows = json.loads(kept.read_text())["rows"] if kept.exists() else []
    for model in arguments.only:
        for seed in arguments.seeds:
            if (model, seed) not in {(row["model"], row["seed"]) for row in rows}:
                found = fit(model, arguments.size, seed, arguments.minutes)
                rows.append({"model": model, "seed": seed, **found})
                store(name, rows, folder=arguments.results)
    frame = pd.DataFrame(rows)
    frame["to_99_percent"] = to_99_percent(frame)
    print(mean_sd(frame, ["model"], COLUMNS).to_string())
    print(frame.groupby("model", sort=False)["broken_off"].sum().to_string())


if __name__ == "__main__":
    main()
