"""The mean over perturbations that share a target."""

from __future__ import annotations

import numpy as np

from txpert._types import FloatArray
from txpert.data._tokens import parse_targets

from ._base import EffectBaseline
from ._registry import register_baseline


@register_baseline(
    "matching_mean", reference="Viñas Torné et al. (2025), doi 10.1038/s41587-025-02777-8"
)
class MatchingMeanBaseline(EffectBaseline):
    """Mean effect of the training perturbations that share a target with it.

    For ``"A+B"`` these are ``"A"``, ``"B"`` and every combination with A or B; each counts the
    same. Where nothing shares a target it is the mean effect of all training perturbations, and a
    perturbation trained on has its own. It is the average where
    :class:`GeneralBaseline` has the sum, after the matching mean of Systema, which averages the
    single genes' profiles only.

    Parameters
    ----------
    data
        What to fit to at once, as by :meth:`fit`.

    References
    ----------
    Viñas Torné et al. (2025), Systema, Nature Biotechnology, doi 10.1038/s41587-025-02777-8.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> baseline = MatchingMeanBaseline().fit(adata)
    >>> baseline.predict("GENE3+GENE5", batch="batch_1").shape
    (1, 60)
    """

    def _predicted(self, labels: list[str]) -> FloatArray:
        return np.stack([self._matching(label) for label in labels])

    def _matching(self, label: str) -> FloatArray:
        known = self._effects.get(label)
        if known is not None:
            return known
        wanted = set(parse_targets(label))
        matching = np.array([not wanted.isdisjoint(t) for t in self._effects.targets])
        return self._effects.delta[matching].mean(axis=0) if matching.any() else self._effects.mean
