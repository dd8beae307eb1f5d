"""Scores of pairs of measurements, repeated."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from txpert._constants import CELL_LINE, N_CELLS, PERTURBATION
from txpert._types import FloatArray
from txpert.metrics import correlation_with_truth, spearman_brown

from ._observations import Observations
from ._scoring import METRICS, score

Pairs = Iterator[tuple[FloatArray, FloatArray]]


def score_pairs(
    kind: str, pairs: Pairs, observations: Observations, n_repeats: int
) -> pd.DataFrame:
    """Return one row of metrics per repeat and observation."""
    scored = observations.scored
    obs = observations.obs[scored].reset_index(drop=True)
    others = observations.obs[~scored]
    frames = []
    for repeat, (first, second) in enumerate(
        tqdm(pairs, desc=f"Ceiling, {kind}", unit="repeat", total=n_repeats)
    ):
        frame = score(first[scored], second[scored], obs, second[~scored], others)
        frame.insert(0, "kind", kind)
        frame.insert(1, "repeat", repeat)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def mean_over_repeats(scores: pd.DataFrame) -> pd.DataFrame:
    """Return one row per kind and observation; repeats without a score are left out."""
    keys = ["kind", PERTURBATION, CELL_LINE, N_CELLS]
    return scores.groupby(keys, sort=False)[list(METRICS)].mean().reset_index()


def with_estimates(scores: pd.DataFrame) -> pd.DataFrame:
    """Put what the halves say about experiments of full size below their scores."""
    halves = scores[scores["kind"] == "split_half"]
    rest = scores[scores["kind"] != "split_half"]
    unknown = dict.fromkeys(set(METRICS) - {"pearson_delta", "mse"}, np.nan)
    full = spearman_brown(halves["pearson_delta"])
    replicates = halves.assign(
        kind="full_size", pearson_delta=full, mse=halves["mse"] / 2, **unknown
    )
    truth = halves.assign(
        kind="noise_free",
        pearson_delta=correlation_with_truth(full),
        mse=halves["mse"] / 4,
        **unknown,
    )
    return pd.concat([halves, replicates, truth, rest], ignore_index=True)


def summarise(perturbations: pd.DataFrame, repeats: pd.DataFrame) -> pd.DataFrame:
    """Average over perturbations; the spread is that of the repeats' averages."""
    grouped = perturbations.groupby("kind", sort=False)
    of_repeat = repeats.groupby(["kind", "repeat"], sort=False)[list(METRICS)].mean()
    sd = of_repeat.groupby("kind", sort=False).std().add_suffix("_sd")
    summary = grouped[list(METRICS)].mean().join(sd)
    summary = summary[[name for metric in METRICS for name in (metric, f"{metric}_sd")]]
    summary["n_perturbations"] = grouped.size()
    summary["n_undefined"] = grouped["pearson_delta"].apply(lambda score: int(score.isna().sum()))
    return summary
