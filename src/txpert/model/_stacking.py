from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from txpert._types import FloatArray, IntArray


@dataclass(frozen=True)
class HeldOut:
    """Δ of perturbations by each path, fitted without them, and as observed.

    Attributes
    ----------
    kinds
        "measured", "composed" or "new", in the eyes of what was fitted, ``(n,)``.
    cell_line
        ``(n,)``.
    general, kernel, network
        Δ by each path, ``(n, n_genes)``.
    observed
        Δ as observed, without the effect on the targets.
    """

    kinds: npt.NDArray[Any]
    cell_line: npt.NDArray[Any]
    general: FloatArray
    kernel: FloatArray
    network: FloatArray
    observed: FloatArray

    @classmethod
    def join(cls, parts: Sequence[HeldOut]) -> HeldOut:
        """Put the perturbations of several parts together."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def of_kind(self, kind: str) -> HeldOut:
        """Return the perturbations of one kind."""
        return self._rows(np.flatnonzero(self.kinds == kind))

    def thinned(self, most: int) -> HeldOut:
        """Return so many of the perturbations at most, evenly spaced."""
        n = len(self.kinds)
        return self if n <= most else self._rows(np.linspace(0, n - 1, most).astype(int))

    def _rows(self, rows: IntArray) -> HeldOut:
        return HeldOut(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class Weights:
    """How far a blend follows the kernel path and the network, and its scale."""

    kernel: float
    network: float
    scale: float = 1.0


_STEPS = np.arange(17) / 10
_MOST = 300
_CAUTION = 10.0
"""What it costs to move a weight by 1: so many perturbations that gain a score of 1."""
_DOUBT = 100
"""Number of held-out perturbations whose effects have the expected size, taken for granted."""


def stack(held_out: HeldOut, expected: Weights, trust: float = 1.0) -> Weights:
    r"""Choose how far to follow the kernel path and the network instead of the general one.

    .. math::

        (a, b) = \arg\max h \sum_P \big(r(D_P, \Delta_P) + R_P(D)\big)
        - 10\,\big((a - a_0)^2 + (b - b_0)^2\big), \qquad
        D = G + a\,(K - G) + b\,(N - G),

    with the Pearson correlation r across genes and the retrieval R among the held-out
    perturbations of the same cell line (:func:`txpert.metrics.retrieval`), over a grid from 0 to
    1.6. Both are blind to the size of effects, so that neither strong perturbations nor noise
    speak for all. With few held out, or little trust h, the weights stay near the expected ones.
    Then

    .. math:: s = \frac{\sum_P \langle D_P, \Delta_P + \kappa E_P / n \rangle}
                       {\sum_P \langle D_P, D_P + \kappa D_P / n \rangle}

    scales the prediction to the least squared error, as if besides the n held-out perturbations
    there were :math:`\kappa = 100` more whose effects are what the expected weights predict, E.
    Stacked regression (Breiman 1996, doi:10.1007/BF00117832) fits such weights by least squares.

    Parameters
    ----------
    held_out
        Perturbations that no path was fitted on; of more than 300, a and b are
        chosen on evenly spaced ones.
    expected
        :math:`(a_0, b_0)`.
    trust
        h, from 0 to 1: what the held-out perturbations count, against the expected weights.
    """
    a, b = expected.kernel, expected.network
    some = held_out.thinned(_MOST)
    if _terms(some)[1:].any():
        gain = _gains(_terms(some), some.observed, some.cell_line)
        moved = (_STEPS - a)[:, None] ** 2 + (_STEPS - b) ** 2
        best = np.unravel_index((trust * gain - _CAUTION * moved).argmax(), gain.shape)
        a, b = _STEPS[best[0]], _STEPS[best[1]]
    terms = _terms(held_out)
    blended = np.tensordot([1, a, b], terms, axes=1)
    guess = np.tensordot([1, expected.kernel, expected.network], terms, axes=1)
    doubt = _DOUBT / len(blended)
    along = np.vdot(blended, held_out.observed) + doubt * np.vdot(blended, guess)
    size = (1 + doubt) * np.vdot(blended, blended)
    return Weights(float(a), float(b), float(max(along / size, 0)) if size else 1.0)


def _terms(held_out: HeldOut) -> FloatArray:
    """Return G, K − G and N − G, ``(3, n, n_genes)``."""
    general = held_out.general
    return np.stack([general, held_out.kernel - general, held_out.network - general])


def _gains(terms: FloatArray, observed: FloatArray, cell_line: npt.NDArray[np.str_]) -> FloatArray:
    """Return the sum of correlations and retrievals for each pair of weights on the grid."""
    centred = terms - terms.mean(axis=2, keepdims=True)
    truth = observed - observed.mean(axis=1, keepdims=True)
    length = np.linalg.norm(truth, axis=1, keepdims=True)
    truth = np.divide(truth, length, out=np.zeros_like(truth), where=length > 0)
    inner = np.einsum("kpg,qg->kpq", centred, truth, optimize=True)
    gram = np.einsum("kpg,lpg->klp", centred, centred, optimize=True)
    others = cell_line[:, None] == cell_line
    np.fill_diagonal(others, False)
    number = np.maximum(others.sum(axis=1), 1)
    gains = np.empty((len(_STEPS), len(_STEPS)))
    for i, a in enumerate(_STEPS):
        for j, b in enumerate(_STEPS):
            weights = np.array([1, a, b])
            along = np.tensordot(weights, inner, axes=1)
            size = np.sqrt(np.einsum("k,klp,l->p", weights, gram, weights).clip(0))
            own = np.diagonal(along)
            correlation = np.divide(own, size, out=np.zeros_like(size), where=size > 0)
            found = ((own[:, None] >= along) & others).sum(axis=1) / number
            gains[i, j] = correlation.sum() + found.sum()
    return gains
