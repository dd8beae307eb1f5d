"""All other cell lines, by similarity."""

from __future__ import annotations

import numpy as np
from anndata import AnnData

from txpert._options import check_number
from txpert._types import FloatArray
from txpert.data import ConditionTable

from ._lines import CellLineBaseline
from ._registry import register_baseline


@register_baseline("weighted_cell_line")
class WeightedCellLineBaseline(CellLineBaseline):
    r"""Effect of the perturbation averaged over cell lines, weighted by their similarity.

    .. math:: \hat\Delta_{P,\ell} = \sum_m \frac{\exp(r_{\ell m} / \tau)}{\sum_{m'}
              \exp(r_{\ell m'} / \tau)}\, \Delta_{P,m},

    over the other training lines m that have P, where :math:`r_{\ell m}` is the similarity of
    :class:`NearestCellLineBaseline`. All else is as there; means over a line's training
    perturbations are averaged with the same weights.

    Parameters
    ----------
    data
        What to fit to at once, as by :meth:`fit`.
    temperature
        τ, in units of correlation. Towards 0 only the nearest line counts, with a large one all
        lines count the same.

    Raises
    ------
    ValueError
        If the temperature is not positive.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> adata.obs["cell_line"] = adata.obs["batch"].map({"batch_1": "K562", "batch_2": "RPE1"})
    >>> baseline = WeightedCellLineBaseline().fit(adata)
    >>> baseline.predict("GENE3", cell_line="K562").shape
    (1, 60)
    """

    def __init__(
        self, data: AnnData | ConditionTable | None = None, *, temperature: float = 0.1
    ) -> None:
        check_number("temperature", temperature, above=0)
        self.temperature = temperature
        super().__init__(data)

    def _fractions(self, similarity: FloatArray) -> FloatArray:
        # An undefined correlation, that of a constant profile, counts as the least possible.
        values = np.where(np.isnan(similarity), -1, similarity) / self.temperature
        fractions = np.exp(values - values.max())
        return fractions / fractions.sum()
