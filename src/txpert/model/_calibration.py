"""A monotone map from predicted to observed effects, fitted on held-out perturbations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.optimize import isotonic_regression

from txpert._types import BoolArray, FloatArray

_FOLDS = 5
_LEAST = 20
"""Perturbations from which on a map is fitted."""
_PER_BIN, _MOST_BINS = 1_000, 200
_N_KNOTS = 1_001
_DOUBT = 20
"""Number of held-out perturbations that are taken to lie on the diagonal."""


@dataclass(frozen=True)
class Calibration:
    """A nondecreasing, piecewise linear map from predicted to expected Δ.

    A model that is linear in effects with a floor, such as scores of up-regulation, predicts less
    than the floor of some genes and too much of others. Isotonic regression of observed on
    predicted Δ, pooled over genes, corrects that and keeps the order of genes. Of a gene that
    never changed in training 0 is predicted, and stays.

    Attributes
    ----------
    low, high
        Predictions between which the map bends. Beyond them it is parallel to the diagonal.
    expected
        Δ expected at evenly spaced predictions from ``low`` to ``high``, ascending.
    """

    low: float
    high: float
    expected: tuple[float, ...]

    @classmethod
    def fit(cls, predicted: FloatArray, observed: FloatArray) -> Calibration | None:
        """Fit a map, as far as cross-validation over perturbations supports it.

        Parameters
        ----------
        predicted, observed
            Δ of held-out perturbations, ``(n_perturbations, n_genes)``; where both are 0 the gene
            was not measured.

        Returns
        -------
        Isotonic regression (Barlow et al. 1972), shrunk towards the diagonal: by as much as maps
        fitted to four fifths of the perturbations overstate the bend of the other fifth, and as if
        there were 20 more that lie on the diagonal. ``None`` with fewer than 20, or where nothing
        is left.
        """
        n = len(predicted)
        if n < _LEAST or not predicted.any():
            return None
        measured = (predicted != 0) | (observed != 0)
        n_bins = int(np.clip(measured.sum() // _PER_BIN, 2, _MOST_BINS))
        edges = np.quantile(predicted[measured], np.linspace(0, 1, n_bins + 1)[1:-1])
        fold = np.random.default_rng(0).permutation(n) % _FOLDS
        chosen = [fold == k for k in range(_FOLDS)]
        parts = [(predicted[rows], observed[rows], measured[rows]) for rows in chosen]
        sums = np.array([_sums(*part, edges) for part in parts])
        total = sums.sum(axis=0)
        along, size = 0.0, 0.0
        for of_fold, (x, y, some) in zip(sums, parts, strict=True):
            step = (cls._of_sums(total - of_fold)(x) - x) * some
            along += float(np.vdot(step, y - x))
            size += float(np.vdot(step, step))
        if along <= 0:
            return None
        return cls._of_sums(total, min(along / size, 1) * n / (n + _DOUBT))

    @classmethod
    def _of_sums(cls, sums: FloatArray, followed: float = 1.0) -> Calibration:
        number, *totals = sums[:, sums[0] > 0]
        x, y = (total / number for total in totals)
        bend = isotonic_regression(y, weights=number).x - x
        at = np.linspace(x[0], x[-1], _N_KNOTS)
        expected = np.interp(at, x, x + followed * bend)
        return cls(float(at[0]), float(at[-1]), tuple(expected.tolist()))

    def __call__(self, delta: FloatArray) -> FloatArray:
        """Return the Δ expected where so much is predicted, of the same shape."""
        values = torch.from_numpy(np.ascontiguousarray(delta)).flatten()
        start, slope = (torch.from_numpy(of.astype(delta.dtype)) for of in self._lines)
        line = torch.add(1 - self.low * self._per_unit, values, alpha=self._per_unit)
        line = line.clamp_(0, len(start) - 1).int()
        found = torch.addcmul(start.index_select(0, line), slope.index_select(0, line), values)
        found.mul_(values != 0)
        return np.asarray(found.numpy().reshape(delta.shape))

    @property
    def _per_unit(self) -> float:
        return (len(self.expected) - 1) / max(self.high - self.low, 1e-12)

    @cached_property
    def _lines(self) -> tuple[FloatArray, FloatArray]:
        """Values at 0 and slopes of the lines below, between and above the knots."""
        at = np.linspace(self.low, self.high, len(self.expected))
        bend = np.array(self.expected) - at
        rise = np.diff(bend) * self._per_unit
        between = bend[:-1] - rise * at[:-1]
        return np.array([bend[0], *between, bend[-1]]), 1 + np.array([0, *rise, 0])

    def to_dict(self) -> dict[str, Any]:
        """Return numbers, for saving."""
        return {"low": self.low, "high": self.high, "expected": [*self.expected]}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Calibration:
        """Rebuild what :meth:`to_dict` returned."""
        return cls(state["low"], state["high"], tuple(state["expected"]))


def _sums(
    predicted: FloatArray, observed: FloatArray, measured: BoolArray, edges: FloatArray
) -> FloatArray:
    """Return number, sum of predicted and sum of observed by bin, ``(3, n_bins)``."""
    x, y = predicted[measured], observed[measured]
    bins, n_bins = np.searchsorted(edges, x), len(edges) + 1
    return np.array([np.bincount(bins, weights, n_bins) for weights in (None, x, y)], dtype=float)
