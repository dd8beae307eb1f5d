"""The paper's general baseline."""

from __future__ import annotations

from txpert._types import FloatArray

from ._base import EffectBaseline
from ._registry import register_baseline


@register_baseline("general", reference="TxPert (2025), doi 10.1038/s41587-026-03113-4")
class GeneralBaseline(EffectBaseline):
    """Mean effect of the perturbation in training, in any cell line (paper, "general").

    The effect of a perturbation is its Δ averaged over all training cells that have it, of any
    cell line. A combination not trained on has the sum of its targets' effects; a target not
    trained on has the mean effect of all training perturbations of a single gene (of all
    training perturbations, if none is of a single gene).

    Parameters
    ----------
    data
        What to fit to at once, as by :meth:`fit`.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> GeneralBaseline().fit(adata).predict("GENE3", batch="batch_1").shape
    (1, 60)
    """

    def _predicted(self, labels: list[str]) -> FloatArray:
        return self._effects.general(labels)
