"""The mean effect of all perturbations."""

from __future__ import annotations

import numpy as np

from txpert._types import FloatArray

from ._base import EffectBaseline
from ._registry import register_baseline


@register_baseline("mean", reference="Ahlmann-Eltze et al. (2025), doi 10.1038/s41592-025-02772-6")
class MeanBaseline(EffectBaseline):
    """Mean effect of all training perturbations, whatever the perturbation.

    Every perturbation counts the same, combinations too, and is itself averaged over its cells.
    What was trained on gets no effect of its own: a score above this baseline's is specific.

    Parameters
    ----------
    data
        What to fit to at once, as by :meth:`fit`.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> delta = MeanBaseline().fit(adata).predict(["GENE3", "A+B"]).layers["delta"]
    >>> bool((abs(delta - delta[0]) < 1e-6).all())
    True
    """

    def _predicted(self, labels: list[str]) -> FloatArray:
        return np.tile(self._effects.mean, (len(labels), 1))
