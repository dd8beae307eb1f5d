"""How long training takes: on condition means, on cells, and with several encoders.

python benchmarks/training.py [--size medium] [--seeds 0 1 2] [--minutes 30] [--only NAME …]
    [--results FOLDER]

Simulated screens of tx.datasets.simulate_k562_like, split by perturbation; the network alone, so
that units differ in nothing else. "to 99%" is the time until the validation Pearson Δ first comes
within 1% of the best that training on condition means reached. A fit is broken off after so many
minutes; the table says where. Finished fits are kept in FOLDER/training_SIZE.json; a second call
goes on where the first stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import anndata as ad
import lightning.pytorch as pl
import pandas as pd
import scvi
from _common import RESULTS, mean_sd, quiet, store

import txpert as tx

WRONG = 0.3
MEANS = "gat, condition means"
FITS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    MEANS: ({}, {}),
    "gat, cells, batch 64": ({}, {"unit": "cell", "batch_size": 64}),
    "exphormer, condition means": ({"encoder": "exphormer"}, {}),
    "hybrid_bmp, condition means": ({"encoder": "hybrid_bmp"}, {}),
}
COLUMNS = ["seconds", "to_99_percent", "best_validation", "test_pearson_delta", "peak_memory_mb"]


class Clock(pl.Callback):
    """Notes when each validation ended and its score."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.seen: list[tuple[float, float]] = []

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the time and the score."""
        score = float(trainer.callback_metrics["pearson_delta_validation"])
        self.seen.append((time.perf_counter() - self.start, score))


def screen(size: str, seed: int) -> tuple[ad.AnnData, tx.graph.KnowledgeGraph]:
    adata = tx.datasets.simulate_k562_like(size, seed=seed)
    tx.pp.normalize(adata)
    del adata.layers["counts"]
    tx.pp.split(adata, seed=seed)
    graph = tx.datasets.simulated_graph(adata, missing=WRONG, wrong=WRONG, seed=seed)
    return adata, graph.top_k(20)


def fit(name: str, size: str, seed: int, minutes: int) -> dict[str, Any]:
    adata, graph = screen(size, seed)
    options, train = FITS[name]
    scvi.settings.seed = seed
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graphs=[graph], prediction="network", **options)
    if "unit" in train:
        train = {**train, "val_check_interval": 0.1}
    before, clock = peak_memory(), Clock()
    model.train(
        callbacks=[clock], max_time={"minutes": minutes}, enable_progress_bar=False, **train
    )
    seconds = time.perf_counter() - clock.start
    more = peak_memory() - before
    tx.tl.evaluate(adata, model, baselines={})
    score = float(adata.uns["txpert"]["summary"]["pearson_delta"].iloc[0])
    return {
        "seconds": seconds,
        "broken_off": seconds > 60 * minutes,
        "best_validation": max(score for _, score in clock.seen),
        "test_pearson_delta": score,
        "peak_memory_mb": more,
        "curve": clock.seen,
    }


def peak_memory() -> float:
    """Return the highest memory of this process so far, in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000


def times(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the rows with the time to 99% of what condition means reached."""
    best = {row["seed"]: row["best_validation"] for row in rows if row["model"] == MEANS}
    for row in rows:
        aim = 0.99 * best.get(row["seed"], float("nan"))
        row["to_99_percent"] = next((t for t, score in row["curve"] if score >= aim), None)
    return pd.DataFrame(rows).astype({"to_99_percent": float})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=("medium", "full"), default="medium")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--only", nargs="+", choices=FITS, default=list(FITS))
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet()
    name = f"training_{arguments.size}"
    kept = arguments.results / f"{name}.json"
    rows = json.loads(kept.read_text())["rows"] if kept.exists() else []
    for model in arguments.only:
        for seed in arguments.seeds:
            if (model, seed) not in {(row["model"], row["seed"]) for row in rows}:
                found = fit(model, arguments.size, seed, arguments.minutes)
                rows.append({"model": model, "seed": seed, **found})
                store(name, rows, folder=arguments.results)
    frame = times(rows)
    print(mean_sd(frame, ["model"], COLUMNS).to_string())
    print(frame.groupby("model", sort=False)["broken_off"].sum().to_string())


if __name__ == "__main__":
    main()
