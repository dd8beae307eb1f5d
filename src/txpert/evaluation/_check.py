"""Predictions that cannot be scored, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from txpert._constants import TARGET_SUM
from txpert._types import BoolArray, FloatArray
from txpert.data._conditions import context_names
from txpert.metrics._delta import check_scale

from ._metrics import score_names
from ._scoring import HeldOut

UNDEFINED = "undefined"

_LOWEST = -0.5
_FRACTION_BELOW = 0.01
# What single precision leaves of a Δ that is a difference of log-normalized expression.
_RELATIVE = 1e-4
_ROUNDING = 4 * float(np.finfo(np.float32).eps * np.log1p(TARGET_SUM))


def check_prediction(delta: FloatArray, held_out: HeldOut) -> None:
    """Refuse a prediction that has nothing in it or is on another scale.

    Raises
    ------
    ValueError
        If all is NaN, a Δ is too large for log-normalized data, or more than 1% of the expression
        predicted, control plus Δ, is below −0.5: log-normalized expression has no negative values,
        z-scores do. Effects have no scale that could be checked.
    """
    known = np.isfinite(delta) & held_out.measured[0]
    if not np.isfinite(delta).any():
        raise ValueError(
            f"It predicts none of the {len(delta)} perturbations: all values are NaN. Are they "
            "named as in the data?"
        )
    if held_out.controls.of_effects:
        return  # of any sign and size
    finite = np.where(known, delta, np.nan)
    check_scale(finite)
    below = (finite + held_out.control < _LOWEST).sum() / max(known.sum(), 1)
    if below > _FRACTION_BELOW:
        raise ValueError(
            f"{below:.0%} of the predicted expression, control plus Δ, is below {_LOWEST}, and "
            "log-normalized expression is never negative. Predictions are on another scale "
            "(z-scores?): undo the scaling of genes before taking Δ."
        )


def score_prediction(
    held_out: HeldOut, delta: FloatArray, names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Score a prediction, the one way for evaluation and benchmark.

    Parameters
    ----------
    held_out
        What is scored.
    delta
        Predicted Δ, ``(n_observations, n_genes)``.
    names
        Scores, of those that :func:`score_names` returns; by default all.

    Returns
    -------
    One row per observation: perturbation, cell_line, n_cells, the scores, and in ``undefined`` why
    one of them is NaN, else empty.

    Raises
    ------
    ValueError
        As :func:`check_prediction`.
    """
    names = score_names() if names is None else list(names)
    check_prediction(delta, held_out)
    delta = without_rounding(delta, held_out.measured[0])
    table = held_out.score(delta, names)
    reasons = undefined_reasons(delta, held_out)
    missing = table[names].isna().any(axis=1)
    table[UNDEFINED] = [
        (reason or "undefined") if lacks else ""
        for reason, lacks in zip(reasons, missing, strict=True)
    ]
    return table


def without_rounding(delta: FloatArray, measured: BoolArray | None = None) -> FloatArray:
    """Return Δ with what is not finite as NaN, and rows constant but for rounding as constant.

    Else the rounding would be correlated with what was observed. A row is constant if it varies
    by less than single precision leaves of log-normalized expression, or by less than a
    ten-thousandth of its size.

    Parameters
    ----------
    delta
        Predicted Δ, ``(n, n_genes)``.
    measured
        Genes that count, of the same shape; by default all.
    """
    values = np.where(np.isfinite(delta), delta, np.nan)
    counted = np.ones(values.shape, dtype=bool) if measured is None else measured
    size = np.where(counted, np.abs(values), 0).max(axis=1, initial=0)
    high = np.where(counted, values, -np.inf).max(axis=1, initial=-np.inf)
    low = np.where(counted, values, np.inf).min(axis=1, initial=np.inf)
    flat = high - low <= np.maximum(_ROUNDING, _RELATIVE * size)
    flat &= counted.any(axis=1)
    for row in np.flatnonzero(flat):
        values[row] = 0 if size[row] <= _ROUNDING else values[row][counted[row]].mean()
    return values


def undefined_reasons(delta: FloatArray, held_out: HeldOut) -> list[str]:
    """Say for each perturbation × cell line why scores of it are undefined; empty if none is."""
    lines = context_names(held_out.obs)
    n_in_line = pd.Series([*lines, *context_names(held_out.reference_obs)]).value_counts()
    reasons = []
    for line, predicted, observed, measured in zip(
        lines,
        delta,
        held_out.observed,
        held_out.measured[0],
        strict=True,
    ):
        if not measured.any():
            reasons.append("no gene was measured")
            continue
        found = [
            _what_is_wrong(predicted[measured], "prediction"),
            _what_is_wrong(observed[measured], "observation"),
        ]
        if n_in_line[line] == 1:
            found.append("no other perturbation in this cell line to compare with")
        reasons.append("; ".join(filter(None, found)))
    return reasons


def _what_is_wrong(values: FloatArray, what: str) -> str:
    unknown = ~np.isfinite(values)
    if unknown.all():
        return f"no {what}"
    if unknown.any():
        return f"the {what} is NaN or infinite for {unknown.sum()} of {len(values)} genes"
    if not values.any():
        return f"the {what} is no change at all"
    if not np.ptp(values):
        return f"the {what} is the same change for all genes"
    return ""
