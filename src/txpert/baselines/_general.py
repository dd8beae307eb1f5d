from __future__ import annotations

from txpert._types import FloatArray

from ._base import EffectBaseline


class GeneralBaseline(EffectBaseline):
    """Matched control plus the mean effect of the perturbation in training (paper, "general").

    The effect of a perturbation is its Δ averaged over all training cells that have it, of any
    cell line. A combination not trained on has the sum of its targets' effects; a target not
    trained on has the mean effect of all training perturbations of a single gene (of all
    training perturbations, if none is of a single gene).

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
    >>> baseline = GeneralBaseline(tx.pp.pseudobulk(adata))
    >>> baseline.predict("GENE3", batch="batch_1").shape
    (1, 60)
    """

    def _predicted(self, labels: list[str]) -> FloatArray:
        return self._effects.general(labels)
