"""Reading data that a model is compared with, as they are now."""

from __future__ import annotations

from anndata import AnnData
from mudata import MuData

from txpert.data import ConditionTable
from txpert.data._screen import Screen
from txpert.model import TxPertModel


def read_now(model: TxPertModel, adata: AnnData | MuData) -> tuple[Screen, ConditionTable]:
    """Return the cells and the pseudobulk of data, under the split that they have now.

    :meth:`TxPertModel.read` reads every cell, and refuses each that is not log-normalized; that
    all together are normalized without a logarithm, as other data than the model's may be, is
    seen from their sums only.

    Raises
    ------
    ValueError
        If the data are not on the scale of the model's, the genes are not the model's, or cells
        of one condition are in different splits.
    """
    screen, table = model.read(adata)
    if adata is not model.adata:
        screen.check_values("The expression of the data to be compared with")
    return screen, table
