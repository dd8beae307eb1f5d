"""Weights of the components of an ensemble, fitted on held-out perturbations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from txpert._types import BoolArray, FloatArray, IntArray

from ._calibration import Calibration


@dataclass(frozen=True)
class HeldOut:
    """Δ of perturbations by each component, fitted without them, and as observed.

    Attributes
    ----------
    kinds
        "measured", "measured elsewhere", "of an unseen line", "composed" or "new" (see
        ``Ensemble``), in the eyes of what was fitted, ``(n,)``.
    cell_line
        ``(n,)``.
    single
        Whether each has one target, ``(n,)``.
    predicted
        Δ by each component, ``(n, n_genes)``; the first is the one that the others correct.
    observed
        Δ as observed, without the effect on the targets.
    """

    kinds: npt.NDArray[Any]
    cell_line: npt.NDArray[Any]
    single: BoolArray
    predicted: Mapping[str, FloatArray]
    observed: FloatArray

    @classmethod
    def concatenate(cls, parts: Sequence[HeldOut]) -> HeldOut:
        """Put the perturbations of several parts together."""
        names = parts[0].predicted
        return cls(
            np.concatenate([part.kinds for part in parts]),
            np.concatenate([part.cell_line for part in parts]),
            np.concatenate([part.single for part in parts]),
            {name: np.concatenate([part.predicted[name] for part in parts]) for name in names},
            np.concatenate([part.observed for part in parts]),
        )

    def over_measured(self) -> HeldOut:
        """Return the same with no change, predicted or observed, of genes that were not measured.

        They then have no part in squared errors, and next to none in correlations. What was not
        measured is NaN in ``observed``.
        """
        missing = np.isnan(self.observed)
        if not missing.any():
            return self
        predicted = {
            name: np.where(missing, np.float32(0), delta) for name, delta in self.predicted.items()
        }
        observed = np.where(missing, np.float32(0), self.observed)
        return replace(self, predicted=predicted, observed=observed)

    def of_kind(self, kind: str) -> HeldOut:
        """Return the perturbations of one kind."""
        return self.rows(np.flatnonzero(self.kinds == kind))

    def thinned(self, most: int) -> HeldOut:
        """Return so many of the perturbations at most, evenly spaced."""
        n = len(self.kinds)
        return self if n <= most else self.rows(np.linspace(0, n - 1, most).astype(int))

    def of(self, names: Sequence[str]) -> HeldOut:
        """Return Δ by some of the components."""
        return replace(self, predicted={name: self.predicted[name] for name in names})

    @property
    def finite(self) -> list[str]:
        """Components without NaN or infinite Δ."""
        return [name for name, delta in self.predicted.items() if np.isfinite(delta).all()]

    def rows(self, rows: IntArray) -> HeldOut:
        """Return some of the perturbations."""
        predicted = {name: delta[rows] for name, delta in self.predicted.items()}
        labels = self.kinds[rows], self.cell_line[rows], self.single[rows]
        return HeldOut(*labels, predicted, self.observed[rows])


SCALE, CALIBRATION = "scale", "calibration"
"""Keys of saved weights besides the names of components."""


@dataclass(frozen=True)
class Weights:
    """How far an ensemble follows each component instead of its first, its scale and calibration.

    Attributes
    ----------
    of
        By component.
    scale
        Of the sum.
    calibration
        Of scaled predictions of single targets.
    """

    of: Mapping[str, float]
    scale: float = 1.0
    calibration: Calibration | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return numbers by name, and the knots of the calibration."""
        knots = {} if self.calibration is None else {CALIBRATION: self.calibration.to_dict()}
        return {**self.of, SCALE: self.scale, **knots}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Weights:
        """Rebuild what :meth:`to_dict` returned."""
        of = {name: w for name, w in state.items() if name not in (SCALE, CALIBRATION)}
        knots = state.get(CALIBRATION)
        return cls(of, state[SCALE], None if knots is None else Calibration.from_dict(knots))


_STEPS = np.arange(17) / 10
_MOST = 300
_CAUTION = 10.0
"""What it costs to move a weight by 1: so many perturbations that gain a score of 1."""
_DOUBT = 100
"""Number of held-out perturbations whose effects have the expected size, taken for granted."""


def stack(held_out: HeldOut, expected: Weights, confidence: float = 1.0) -> Weights:
    r"""Choose how far to follow each component instead of the first.

    .. math::

        w = \arg\max h \sum_P \big(r(D_P, \Delta_P) + R_P(D)\big)
        - 10\,\sum_c (w_c - w^0_c)^2, \qquad
        D = D^{(0)} + \sum_c w_c\,(D^{(c)} - D^{(0)}),

    with the Pearson correlation r across genes and the retrieval R among the held-out
    perturbations of the same cell line (:func:`txpert.metrics.retrieval`), over a grid from 0 to
    1.6. Both are blind to the size of effects, so that neither strong perturbations nor noise
    dominate. With few held out, or little confidence h, the weights stay near the expected ones.
    Then

    .. math:: s = \frac{\sum_P \langle D_P, \Delta_P + \kappa E_P / n \rangle}
                       {\sum_P \langle D_P, D_P + \kappa D_P / n \rangle}

    scales the prediction to the least squared error, as if besides the n held-out perturbations
    there were :math:`\kappa = 100` more whose effects are what the expected weights predict, E.
    Stacked regression (Breiman 1996, doi:10.1007/BF00117832) fits such weights by least squares.

    Parameters
    ----------
    held_out
        Perturbations that no component was fitted on; of more than 300, the weights are
        chosen on evenly spaced ones.
    expected
        :math:`w^0`.
    confidence
        h, from 0 to 1: what the held-out perturbations count, against the expected weights.
    """
    names = list(held_out.predicted)[1:]
    guess = np.array([expected.of[name] for name in names])
    chosen = guess
    some = held_out.thinned(_MOST)
    if _terms(some)[1:].any():
        grid = np.array(list(product(_STEPS, repeat=len(names))))
        gain = _gains(_terms(some), some.observed, some.cell_line, grid)
        moved = ((grid - guess) ** 2).sum(axis=1)
        chosen = grid[(confidence * gain - _CAUTION * moved).argmax()]
    terms = _terms(held_out)
    combined = np.tensordot([1, *chosen], terms, axes=1)
    believed = np.tensordot([1, *guess], terms, axes=1)
    doubt = _DOUBT / len(combined)
    along = np.vdot(combined, held_out.observed) + doubt * np.vdot(combined, believed)
    size = (1 + doubt) * np.vdot(combined, combined)
    of = {name: float(weight) for name, weight in zip(names, chosen, strict=True)}
    return Weights(of, float(max(along / size, 0)) if size else 1.0)


def calibration_of(held_out: HeldOut, weights: Weights) -> Calibration | None:
    """Return the calibration of weighted predictions of single targets.

    Predictions of combinations stay sums over targets. It is fitted to evenly spaced ones of more
    than 300 perturbations.
    """
    some = held_out.rows(np.flatnonzero(held_out.single)).thinned(_MOST)
    combined = np.tensordot([1, *weights.of.values()], _terms(some), axes=1)
    return Calibration.fit(weights.scale * combined, some.observed)


def _terms(held_out: HeldOut) -> FloatArray:
    """Return the first Δ and what each other component adds, ``(n_components, n, n_genes)``."""
    first, *others = held_out.predicted.values()
    return np.stack([first, *(delta - first for delta in others)])


def _gains(
    terms: FloatArray, observed: FloatArray, cell_line: npt.NDArray[np.str_], grid: FloatArray
) -> FloatArray:
    """Return the sum of correlations and retrievals for each row of weights, ``(n_weights,)``."""
    centered = terms - terms.mean(axis=2, keepdims=True)
    truth = observed - observed.mean(axis=1, keepdims=True)
    length = np.linalg.norm(truth, axis=1, keepdims=True)
    truth = np.divide(truth, length, out=np.zeros_like(truth), where=length > 0)
    inner = np.einsum("kpg,qg->kpq", centered, truth, optimize=True)
    gram = np.einsum("kpg,lpg->klp", centered, centered, optimize=True)
    others = cell_line[:, None] == cell_line
    np.fill_diagonal(others, False)
    number = np.maximum(others.sum(axis=1), 1)
    gains = np.empty(len(grid))
    for i, row in enumerate(grid):
        weights = np.array([1, *row])
        along = np.tensordot(weights, inner, axes=1)
        size = np.sqrt(np.einsum("k,klp,l->p", weights, gram, weights).clip(0))
        own = np.diagonal(along)
        correlation = np.divide(own, size, out=np.zeros_like(size), where=size > 0)
        found = ((own[:, None] >= along) & others).sum(axis=1) / number
        gains[i] = correlation.sum() + found.sum()
    return gains
