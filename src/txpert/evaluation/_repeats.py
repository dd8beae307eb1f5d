"""Scores of pairs of measurements, repeated."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from txpert._constants import CELL_LINE, N_CELLS, PERTURBATION
from txpert._types import FloatArray

from ._metrics import metric_of, score_names
from ._observations import Observations
from ._scoring import score

Pairs = Iterator[tuple[FloatArray, FloatArray]]


def score_pairs(
    kind: str,
    pairs: Pairs,
    observations: Observations,
    genes: pd.Index,
    *,
    n_repeats: int,
    enable_progress_bar: bool = True,
) -> pd.DataFrame:
    """Return one row of scores per repeat and observation."""
    scored = observations.scored
    obs = observations.obs[scored].reset_index(drop=True)
    others = observations.obs[~scored]
    names = score_names(main=True)
    frames = []
    bar = tqdm(
        pairs,
        desc=f"Ceiling, {kind}",
        unit="repeat",
        total=n_repeats,
        disable=not enable_progress_bar,
    )
    for repeat, (first, second) in enumerate(bar):
        frame = score(first[scored], second[scored], obs, second[~scored], others, genes, names)
        frame.insert(0, "kind", kind)
        frame.insert(1, "repeat", repeat)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def mean_over_repeats(scores: pd.DataFrame) -> pd.DataFrame:
    """Return one row per kind and observation; repeats without a score are left out."""
    keys = ["kind", PERTURBATION, CELL_LINE, N_CELLS]
    return scores.groupby(keys, sort=False)[score_names(main=True)].mean().reset_index()


def with_estimates(scores: pd.DataFrame) -> pd.DataFrame:
    """Put what the halves say about experiments of full size below their scores."""
    halves = scores[scores["kind"] == "split_half"]
    rest = scores[scores["kind"] != "split_half"]
    full, truth = halves.assign(kind="full_size"), halves.assign(kind="noise_free")
    for name in score_names(main=True):
        metric = metric_of(name)
        for estimate, formula in ((full, metric.full_size), (truth, metric.noise_free)):
            estimate[name] = np.nan if formula is None else formula(halves[name].to_numpy())
    return pd.concat([halves, full, truth, rest], ignore_index=True)


def summarize(perturbations: pd.DataFrame, repeats: pd.DataFrame) -> pd.DataFrame:
    """Average over perturbations; the spread is that of the repeats' averages."""
    grouped = perturbations.groupby("kind", sort=False)
    of_repeat = repeats.groupby(["kind", "repeat"], sort=False)[score_names(main=True)].mean()
    sd = of_repeat.groupby("kind", sort=False).std().add_suffix("_sd")
    summary = grouped[score_names(main=True)].mean().join(sd)
    summary = summary[
        [name for metric in score_names(main=True) for name in (metric, f"{metric}_sd")]
    ]
    summary["n_perturbations"] = grouped.size()
    summary["n_undefined"] = grouped["pearson_delta"].apply(lambda score: int(score.isna().sum()))
    return summary
