"""``tl.predict``: predicted expression of every cell."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from txpert._constants import BATCH, CELL_LINE, PERTURBATION
from txpert._options import check_name
from txpert.model import TxPertModel
from txpert.model._registration import unregistered_on_failure

from ._read import read_now


def predict(adata: AnnData | MuData, model: TxPertModel, *, key_added: str = "X_txpert") -> None:
    """Write each cell's predicted expression into ``obsm``.

    A cell gets the prediction for its perturbation in its context, a control cell that for no
    perturbation. Cells of one condition share their prediction;
    :meth:`txpert.TxPertModel.predict` returns one row per condition and is much smaller.

    Parameters
    ----------
    adata
        Cells, annotated like those the model was set up with. ``obsm[key_added]`` is written: a
        data frame, cells × genes (float32, so 4 bytes per cell and gene).
    model
        A trained model.
    key_added
        Key in ``obsm``.

    Raises
    ------
    KeyError
        If the target of a perturbation is no node of the model.
    ValueError
        If genes or annotation do not match the model.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> model = tx.TxPertModel(adata, graphs=tx.datasets.toy_graph())
    >>> model.train(max_epochs=1, enable_progress_bar=False)
    >>> tx.tl.predict(adata, model)
    >>> adata.obsm["X_txpert"].shape == adata.shape
    True
    """
    check_name("key_added", key_added)
    if not isinstance(model, TxPertModel):
        raise TypeError(f"model is a trained TxPertModel, not {model!r}.")
    with unregistered_on_failure(adata):
        screen, table = read_now(model, adata)
        asked = table.obs[[PERTURBATION, CELL_LINE, BATCH]]
        predicted = model.predict(asked, controls=table.controls)
    expression = np.asarray(predicted.X)[table.condition_of(screen)]
    adata.obsm[key_added] = pd.DataFrame(
        expression, index=adata.obs_names, columns=model.genes.to_numpy()
    )
