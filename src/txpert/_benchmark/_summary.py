"""From scores per perturbation to a table of models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from txpert._constants import CELL_LINE, PERTURBATION
from txpert.metrics import bootstrap_interval, holm, paired_test

UNDEFINED = "undefined"
_OBSERVATION = [PERTURBATION, CELL_LINE]
_RESAMPLES = 1_999


def summarize(
    scores: pd.DataFrame, baseline: str | None, metrics: Sequence[str], by: str | None
) -> pd.DataFrame:
    """Return one row per metric, group and model; see :meth:`BenchmarkResult.summary`."""
    groups = [("", scores)] if by is None else list(scores.groupby(by, sort=True))
    blocks = [
        pd.DataFrame(
            {"metric": metric, **({} if by is None else {by: group}), **row}
            for row in _rows(part, metric, baseline)
        )
        for metric in metrics
        for group, part in groups
    ]
    return pd.concat(blocks, ignore_index=True)


def _rows(scores: pd.DataFrame, metric: str, baseline: str | None) -> list[dict[str, Any]]:
    parts = {str(name): part for name, part in scores.groupby("model", sort=False)}
    rows = [{"model": name, **_average(part, metric)} for name, part in parts.items()]
    tests = {
        name: _difference(part, parts[baseline], metric)
        for name, part in parts.items()
        if baseline is not None and baseline in parts and name != baseline
    }
    adjusted = dict(zip(tests, holm([p for _, p in tests.values()]), strict=True))
    for row in rows:
        difference, p_value = tests.get(row["model"], (np.nan, np.nan))
        row["difference"], row["p_value"] = difference, p_value
        row["p_adjusted"] = float(adjusted.get(row["model"], np.nan))
        row["note"] = row.pop("note")
    return rows


def _average(part: pd.DataFrame, metric: str) -> dict[str, Any]:
    of_seed = part.groupby("seed")[metric].mean()
    influence = _influence(part, metric)
    interval = bootstrap_interval(influence, n_resamples=_RESAMPLES)
    return {
        "mean": interval.mean,
        "sd": float(of_seed.std()),
        "low": interval.low,
        "high": interval.high,
        "n": interval.n,
        "n_undefined": part.groupby(_OBSERVATION).ngroups - interval.n,
        "n_seeds": len(of_seed),
        "note": "; ".join(_notes(part, metric, interval.n)),
    }


def _influence(part: pd.DataFrame, metric: str) -> pd.Series:
    """Return one value per perturbation × cell line whose mean is that of all defined scores.

    Seeds may test a perturbation more or less often, so the mean is a ratio of two sums over
    perturbations. Its linear approximation lets it be resampled by perturbation.
    """
    grouped = part.dropna(subset=metric).groupby(_OBSERVATION, sort=False)[metric]
    total, n = grouped.sum(), grouped.count()
    mean = total.sum() / max(n.sum(), 1)
    return mean + (total - mean * n) / n.mean()


def _notes(part: pd.DataFrame, metric: str, n: int) -> list[str]:
    notes = []
    missing = part.loc[part[metric].isna(), UNDEFINED]
    for reason, count in missing.value_counts().items():
        notes.append(f"{count} of {len(part)} scores undefined: {reason}")
    if n == 1:
        notes.append("no interval or test of one perturbation")
    if part["seed"].nunique() == 1:
        notes.append("no sd of one seed")
    return notes


def _difference(part: pd.DataFrame, base: pd.DataFrame, metric: str) -> tuple[float, float]:
    """Compare where both have a score; no test of fewer than two perturbations."""
    keys = ["seed", "fold", *_OBSERVATION]
    both = part[[*keys, metric]].merge(base[[*keys, metric]], on=keys).dropna()
    means = both.groupby(_OBSERVATION)[[f"{metric}_x", f"{metric}_y"]].mean()
    difference = (both[f"{metric}_x"] - both[f"{metric}_y"]).mean()
    test = paired_test(*means.to_numpy().T, n_resamples=1)
    return float(difference), test.p_value if test.n > 1 else np.nan
