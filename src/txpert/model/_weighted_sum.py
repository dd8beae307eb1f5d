"""Weighted sums of components' Δ, calibrated, a few conditions at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from txpert._types import BoolArray, FloatArray

from ._calibration import Calibration

_ENTRIES = 2**17
"""Values of Δ that are worked on at a time: few enough for a cache."""

Curves = Sequence[tuple[Calibration, BoolArray]]
"""Calibrations, and which conditions each of them is for, ``(n_conditions,)``."""


def weighted_sum(
    first: FloatArray,
    scale: FloatArray,
    others: Mapping[str, tuple[FloatArray, FloatArray]],
    curves: Curves,
    total: FloatArray,
) -> tuple[list[FloatArray], list[str]]:
    """Write Δ of an ensemble: that of the first component, corrected by the others.

    Parameters
    ----------
    first
        Δ by the first component, ``(n_conditions, n_genes)``.
    scale
        What it is multiplied by, ``(n_conditions,)``.
    others
        Δ by each other component, and by how much of the difference it corrects the first,
        ``(n_conditions,)``.
    curves
        Calibrations of the sum.
    total
        What it is written to, ``(n_conditions, n_genes)``.

    Returns
    -------
    The norm of each component's term, ``(n_conditions,)``, the first before the others; and the
    components that were left out of some conditions because they predict NaN.
    """
    sizes = [np.empty(len(first), dtype=np.float32) for _ in range(1 + len(others))]
    diverged = []
    for rows in _blocks(first):
        found = np.multiply(first[rows], scale[rows, None], out=total[rows])
        sizes[0][rows] = _norms(found)
        for size, (name, (delta, weight)) in zip(sizes[1:], others.items(), strict=True):
            term = delta[rows] - first[rows]
            term *= weight[rows, None]
            norms = _norms(term)
            unusable = ~np.isfinite(norms)
            if unusable.any():
                diverged.append(name)
                term[unusable], norms[unusable] = 0, 0
            found += term
            size[rows] = norms
        _apply(found, rows, curves)
    return sizes, [*dict.fromkeys(diverged)]


def apply_curves(delta: FloatArray, curves: Curves) -> None:
    """Calibrate Δ, ``(n_conditions, n_genes)``, in place."""
    for rows in _blocks(delta):
        _apply(delta[rows], rows, curves)


def _apply(delta: FloatArray, rows: slice, curves: Curves) -> None:
    for curve, chosen in curves:
        some = chosen[rows]
        if some.all():
            delta[:] = curve(delta)
        elif some.any():
            delta[some] = curve(delta[some])


def _blocks(delta: FloatArray) -> Iterator[slice]:
    n = max(1, _ENTRIES // delta.shape[1])
    return (slice(start, start + n) for start in range(0, len(delta), n))


def _norms(values: FloatArray) -> FloatArray:
    """Return the norm of each row, NaN if it has one."""
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", values, values)))
