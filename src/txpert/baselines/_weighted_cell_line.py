from __future__ import annotations

import numpy as np
from anndata import AnnData

from txpert._types import FloatArray
from txpert.data import ConditionTable

from ._lines import CellLineBaseline


class WeightedCellLineBaseline(CellLineBaseline):
    r"""Averages Δ of a perturbation over the cell lines that have it, the more similar the more.

    .. math:: \hat\Delta_{P,\ell} = \sum_m \frac{\exp(r_{\ell m} / \tau)}{\sum_{m'}
              \exp(r_{\ell m'} / \tau)}\, \Delta_{P,m},

    over the other training lines m that have P, where :math:`r_{\ell m}` is the similarity of
    :class:`NearestCellLineBaseline`. All else is as there; means over a line's training
    perturbations are averaged with the same weights.

    Parameters
    ----------
    pseudobulk
        Table made by :func:`txpert.pp.pseudobulk`. With a split, only ``"train"`` is looked at.
    temperature
        τ, in units of correlation. Towards 0 only the nearest line counts, with a large one all
        lines count the same.

    Raises
    ------
    KeyError
        If this is no pseudobulk table.
    ValueError
        If no perturbation is in training or the temperature is not positive.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> adata.obs["cell_line"] = adata.obs["batch"].map({"batch_1": "K562", "batch_2": "RPE1"})
    >>> baseline = WeightedCellLineBaseline(tx.pp.pseudobulk(adata))
    >>> baseline.predict("GENE3", cell_line="K562").shape
    (1, 60)
    """

    def __init__(self, pseudobulk: AnnData | ConditionTable, *, temperature: float = 0.1) -> None:
        if not temperature > 0:
            raise ValueError(f"temperature must be positive, not {temperature}.")
        super().__init__(pseudobulk)
        self.temperature = temperature

    def _share(self, similarity: FloatArray) -> FloatArray:
        # An undefined correlation, that of a constant profile, counts as the least possible.
        values = np.where(np.isnan(similarity), -1, similarity) / self.temperature
        shares = np.exp(values - values.max())
        return shares / shares.sum()
