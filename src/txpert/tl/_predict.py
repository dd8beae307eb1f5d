"""``tl.predict``: predicted expression of every cell."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from txpert._constants import BATCH, CELL_LINE, DELTA, MODALITY, PERTURBATION
from txpert._options import check_name
from txpert._types import FloatArray
from txpert.data._tokens import parse_targets
from txpert.model import TxPertModel
from txpert.model._component import NETWORK
from txpert.model._registered import unregistered_on_failure

from ._read import read_now

_CONDITION = (PERTURBATION, CELL_LINE, BATCH, MODALITY)


def predict(adata: AnnData | MuData, model: TxPertModel, *, key_added: str = "X_txpert") -> None:
    """Write each cell's predicted expression, Δ and latent embedding.

    A cell gets the prediction for its perturbation in its context (cell line and batch), a control
    cell that for no perturbation. Cells of one condition share their prediction;
    :meth:`txpert.TxPertModel.predict` returns one row per condition and is much smaller.

    Parameters
    ----------
    adata
        Cells, annotated like those the model was set up with. Written are

        ``obsm["X_txpert"]``
            Predicted expression, a data frame, cells × genes, and the same as
            ``layers["txpert"]``, for :func:`scanpy.tl.rank_genes_groups` and figures of scanpy.
            Both are one array (float32, 4 bytes per cell and gene) until they are written.
        ``layers["txpert_delta"]``
            Predicted Δ.
        ``obsm["X_txpert_latent"]``
            The network's embedding of the cell's perturbation, cells × n_latent, for
            :func:`scanpy.pp.neighbors` and UMAP; not for a model without a network. NaN where a
            target is no node of the model.

        Layers of a MuData are those of the expression's modality.
    model
        A trained model.
    key_added
        Key in ``obsm``; without ``X_`` that of the layer, and the start of the other two.

    Raises
    ------
    KeyError
        If the model is the network alone and a target is no node of it.
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
    >>> adata.layers["txpert_delta"].shape == adata.shape
    True
    """
    layer = key_added.removeprefix("X_") if isinstance(key_added, str) else key_added
    check_name("key_added", layer)
    if not isinstance(model, TxPertModel):
        raise TypeError(f"model is a trained TxPertModel, not {model!r}.")
    with unregistered_on_failure(adata):
        screen, table = read_now(model, adata)
        asked = table.obs[[name for name in _CONDITION if name in table.obs]]
        predicted = model.predict(asked, controls=table.controls)
    condition = table.condition_of(screen)
    latent = None
    if NETWORK in model.components:
        latent = _latent(model, predicted.obs[PERTURBATION].astype(str).tolist())
    expression = np.asarray(predicted.X)[condition]
    cells = adata.mod[_modality(model)] if isinstance(adata, MuData) else adata
    adata.obsm[key_added] = pd.DataFrame(
        expression, index=adata.obs_names, columns=model.genes.to_numpy(), copy=False
    )
    cells.layers[layer] = expression
    cells.layers[f"{layer}_delta"] = predicted.layers[DELTA][condition]
    if latent is not None:
        adata.obsm[f"{key_added}_latent"] = latent[condition]


def _latent(model: TxPertModel, labels: list[str]) -> FloatArray:
    """Return the network's embedding of each perturbation, NaN of those that it does not know."""
    nodes = set(model.nodes)
    known = [label for label in dict.fromkeys(labels) if nodes.issuperset(parse_targets(label))]
    return model.get_perturbation_embedding(known).reindex(labels).to_numpy()


def _modality(model: TxPertModel) -> str:
    return str(model.registry["setup_args"]["modalities"]["layer"])
