from __future__ import annotations

import numpy as np

from txpert._types import FloatArray

from ._base import EffectBaseline


class MeanBaseline(EffectBaseline):
    """Predicts the mean effect of all training perturbations, whatever the perturbation.

    Every perturbation counts the same, combinations too, and is itself averaged over its cells.
    What was trained on gets no effect of its own: a score above this baseline's is specific.

    Parameters
    ----------
    pseudobulk
        Table made by :func:`txpert.pp.pseudobulk`. With a split, only ``"train"`` is looked at.

    Raises
    ------
    KeyError
        If this is no pseudobulk table.
    ValueError
        If no perturbation is in training.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> delta = MeanBaseline(tx.pp.pseudobulk(adata)).predict(["GENE3", "A+B"]).layers["delta"]
    >>> bool((abs(delta - delta[0]) < 1e-6).all())
    True
    """

    def _predicted(self, labels: list[str]) -> FloatArray:
        return np.tile(self._effects.mean, (len(labels), 1))
