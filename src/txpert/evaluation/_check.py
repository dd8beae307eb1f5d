"""Predictions that cannot be scored, and why."""

from __future__ import annotations

import numpy as np
import pandas as pd

from txpert._constants import CELL_LINE, TARGET_SUM
from txpert._types import FloatArray
from txpert.data import average_over_batches
from txpert.metrics import check_scale

from ._scoring import HeldOut

_LOWEST = -0.5
_SHARE_BELOW = 0.01
# What single precision leaves of a Δ that is a difference of log-normalised expression.
_ROUNDING = 4 * float(np.finfo(np.float32).eps * np.log1p(TARGET_SUM))


def check_prediction(delta: FloatArray, held_out: HeldOut) -> None:
    """Refuse a prediction that has nothing in it or is on another scale.

    Raises
    ------
    ValueError
        If all is NaN, a Δ is too large for log-normalised data, or more than 1% of the expression
        predicted, control plus Δ, is below −0.5: log-normalised expression has no negative values,
        z-scores do.
    """
    known = np.isfinite(delta)
    if not known.any():
        raise ValueError(
            f"It predicts none of the {len(delta)} perturbations: all values are NaN. Are they "
            "named as in the data?"
        )
    finite = np.where(known, delta, np.nan)
    check_scale(finite)
    below = (finite + _control(held_out) < _LOWEST).sum() / known.sum()
    if below > _SHARE_BELOW:
        raise ValueError(
            f"{below:.0%} of the predicted expression, control plus Δ, is below {_LOWEST}, and "
            "log-normalised expression is never negative. Predictions are on another scale "
            "(z-scores?): undo the scaling of genes before taking Δ."
        )


def without_rounding(delta: FloatArray) -> FloatArray:
    """Return Δ with what is not finite as NaN, and rows constant but for rounding as constant.

    Else the rounding would be correlated with what was observed.
    """
    values = np.where(np.isfinite(delta), delta, np.nan)
    flat = np.ptp(values, axis=1) <= _ROUNDING
    values[flat] = values[flat].mean(axis=1, keepdims=True)
    values[(np.abs(values) <= _ROUNDING).all(axis=1)] = 0
    return values


def undefined_reasons(delta: FloatArray, held_out: HeldOut) -> list[str]:
    """Say for each perturbation × cell line why scores of it are undefined; empty if none is."""
    lines = pd.concat([held_out.obs[CELL_LINE], held_out.reference_obs[CELL_LINE]]).astype(str)
    n_in_line = lines.value_counts()
    reasons = []
    for line, predicted, observed in zip(
        held_out.obs[CELL_LINE].astype(str), delta, held_out.observed, strict=True
    ):
        found = [_what_is_wrong(predicted, "prediction"), _what_is_wrong(observed, "observation")]
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


def _control(held_out: HeldOut) -> FloatArray:
    """Return the matched control of each observation, ``(n_observations, n_genes)``."""
    conditions = held_out.conditions
    _, context = held_out.controls.conditions(conditions)
    return average_over_batches(held_out.controls.mean[context], conditions)[0]
