"""The terms of a prediction: components times their coefficients, and the effect on targets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from txpert._types import FloatArray, IntArray
from txpert.data._controls import ControlProfiles

from ._ensemble import Ensemble


def coefficients(ensemble: Ensemble, kind: str) -> dict[str, float]:
    """Return what each component's Δ is multiplied by for conditions of a kind."""
    weights = ensemble.weights_of(kind)
    first = weights.scale * (1 - sum(weights.of.values()))
    return {ensemble.first: first} | {n: weights.scale * w for n, w in weights.of.items()}


def component_deltas(
    ensemble: Ensemble,
    names: set[str],
    conditions: pd.DataFrame,
    profiles: ControlProfiles,
    context: IntArray,
) -> dict[str, FloatArray]:
    """Return Δ by some of the components, ``(n_conditions, n_genes)`` each.

    Where one has diverged (NaN) or does not cover a condition, Δ is that of the first, as in
    :meth:`Ensemble.delta`.
    """
    found = ensemble.deltas(conditions, profiles, context, names)
    first = found[ensemble.first]
    return {
        name: np.where(np.isfinite(delta).all(axis=1, keepdims=True), delta, first)
        for name, delta in found.items()
    }


def add_up(
    ensemble: Ensemble,
    kind: str,
    deltas: Mapping[str, FloatArray],
    conditions: pd.DataFrame,
    profiles: ControlProfiles,
    context: IntArray,
) -> FloatArray:
    """Return Δ of conditions as if all were of one kind, with the effect on the targets."""
    total = np.zeros_like(deltas[ensemble.first], dtype=np.float32)
    for name, coefficient in coefficients(ensemble, kind).items():
        if coefficient:
            total += np.float32(coefficient) * deltas[name]
    row, column, change = ensemble.target.entries(conditions, profiles, context)
    total[row, column] += change
    return total
