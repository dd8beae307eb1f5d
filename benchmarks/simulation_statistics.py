"""Do simulated screens look like published ones? Seconds, memory and statistics per screen.

python benchmarks/simulation_statistics.py [--only medium full] [--seeds 0 1 2]

What they are calibrated against, to the order of magnitude (see simulate_k562_like):
- mean baseline, Pearson Δ of a perturbation with the mean Δ of the others: 0.3 to 0.6;
- split-half Pearson Δ, between halves of the cells, controls too: above what models reach on K562
  (0.6), below 1, and wide between perturbations;
- cells per perturbation: a median near 60, some with 25 or fewer; 10,000 counts per cell over all
  genes, of which the genes measured hold about half.
Test Pearson Δ of the general baseline and of the oracles tell what can be had. Each screen is made
in a process of its own, for its peak memory; results are stored at once and a second call adds to
them. "full" is measured only when named, and takes a minute or two and 8 GB for its statistics.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from _common import RESULTS, mean_sd, quiet, store

import txpert as tx
from txpert.data._batches import average_over_batches
from txpert.datasets._graph_oracle import GraphOracle

SCREENS: dict[str, dict[str, Any]] = {
    "medium": {"size": "medium"},
    "medium, 4 lines": {"size": "medium", "n_cell_lines": 4, "n_cells": 25},
    "medium, 150 doubles": {"size": "medium", "n_doubles": 150},
    "full": {"size": "full"},
}


def deltas(adata: ad.AnnData, batch_key: str = "batch") -> tuple[np.ndarray, pd.DataFrame]:
    """Return Δ and annotation of each perturbation and cell line (or half of one)."""
    table = tx.pp.pseudobulk(adata, batch_key=batch_key)
    rows = ~table.obs["control"].to_numpy()
    return table.layers["delta"][rows], table.obs[rows]


def split_half(adata: ad.AnnData, seed: int) -> np.ndarray:
    """Return the correlation between Δ of two halves, each with controls of its own."""
    half = np.random.default_rng(seed).integers(2, size=adata.n_obs).astype(str)
    adata.obs["half"] = adata.obs["batch"].astype(str) + "|" + half
    delta, obs = deltas(adata, "half")
    parts = []
    for name in "01":
        rows = obs["batch"].astype(str).str.endswith(f"|{name}").to_numpy()
        values, frame = average_over_batches(delta[rows], obs[rows])
        index = pd.MultiIndex.from_frame(frame[["cell_line", "perturbation"]].astype(str))
        parts.append(pd.DataFrame(values, index=index))
    both = parts[0].index.intersection(parts[1].index)
    return tx.metrics.pearson_delta(*(part.loc[both].to_numpy() for part in parts))


def mean_baseline(delta: np.ndarray, obs: pd.DataFrame) -> np.ndarray:
    """Return the correlation of each single gene's Δ with the mean of the others in its line."""
    scores = []
    single = ~obs["perturbation"].astype(str).str.contains("+", regex=False).to_numpy()
    for line in obs["cell_line"].unique():
        values = delta[single & (obs["cell_line"] == line).to_numpy()]
        others = (values.sum(axis=0) - values) / (len(values) - 1)
        scores.append(tx.metrics.pearson_delta(others, values))
    return np.concatenate(scores)


def test_scores(adata: ad.AnnData) -> dict[str, float]:
    """Return test Pearson Δ of the general baseline and the oracles."""
    tx.pp.split(adata)
    delta, obs = deltas(adata)
    rows = (obs["split"] == "test").to_numpy()
    observed, _ = average_over_batches(delta[rows], obs[rows])
    predictors = {
        "general": tx.baselines.GeneralBaseline(tx.pp.pseudobulk(adata)),
        "graph oracle": GraphOracle(adata),
        "truth oracle": tx.datasets.TruthOracle(adata),
    }
    scores = {}
    for name, predictor in predictors.items():
        predicted = predictor.predict(obs[rows]).layers["delta"]
        predicted, _ = average_over_batches(predicted, obs[rows])
        scores[name] = float(tx.metrics.pearson_delta(predicted, observed).mean())
    return scores


def measure(name: str, seed: int) -> dict[str, Any]:
    start = time.perf_counter()
    adata = tx.datasets.simulate_k562_like(**SCREENS[name], seed=seed)
    row: dict[str, Any] = {
        "screen": name,
        "seed": seed,
        "seconds": time.perf_counter() - start,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "cells": adata.n_obs,
        "zeros": 1 - adata.X.nnz / (adata.n_obs * adata.n_vars),
        "counts_per_cell": float(np.median(np.asarray(adata.X.sum(axis=1)))),
    }
    size = tx.datasets.truth(adata).obs["n_cells"]
    quantiles = size[size > 0].quantile([0, 0.05, 0.5, 0.95, 1])
    row |= {f"cells_q{round(100 * q)}": float(value) for q, value in quantiles.items()}
    tx.pp.normalize(adata)
    del adata.layers["counts"]
    halves, mean = split_half(adata, seed), mean_baseline(*average_over_batches(*deltas(adata)))
    for key, scores in {"split_half": halves, "mean_baseline": mean}.items():
        low, middle, high = np.nanquantile(scores, [0.1, 0.5, 0.9])
        row |= {f"{key}_q10": low, f"{key}_q50": middle, f"{key}_q90": high}
        row[key] = float(np.nanmean(scores))
    return row | test_scores(adata)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SCREENS, default=list(SCREENS)[:-1])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--one", action="store_true", help="measure here, print it as JSON")
    arguments = parser.parse_args()
    quiet()
    if arguments.one:
        print(json.dumps(measure(arguments.only[0], arguments.seeds[0]), default=float))
        return
    stored = RESULTS / "simulation_statistics.json"
    rows = json.loads(stored.read_text())["rows"] if stored.exists() else []
    for name in arguments.only:
        for seed in arguments.seeds:
            command = [sys.executable, __file__, "--one", "--only", name, "--seeds", str(seed)]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rows = [row for row in rows if (row["screen"], row["seed"]) != (name, seed)]
            rows.append(json.loads(out.splitlines()[-1]))
            store("simulation_statistics", rows)
    frame = pd.DataFrame(rows)
    values = [name for name in frame if name not in ("screen", "seed")]
    print(mean_sd(frame, ["screen"], values).T.to_string())


if __name__ == "__main__":
    main()
