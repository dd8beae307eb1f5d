"""Normalizing library sizes."""

from __future__ import annotations

import pandas as pd
from anndata import AnnData

from txpert._constants import TARGET_SUM
from txpert._options import check_name
from txpert._types import Matrix
from txpert.data._keys import check_anndata
from txpert.data._log_normalized import check_target_sum
from txpert.data._matrix import expression_matrix, iter_chunks
from txpert.data._values import ValueCheck, check_counts


def normalize(
    adata: AnnData, *, target_sum: float = TARGET_SUM, counts_layer: str = "counts"
) -> None:
    """Normalize library sizes and take log1p; the counts are kept in a layer.

    :func:`scanpy.pp.normalize_total` to ``target_sum`` and :func:`scanpy.pp.log1p`, as the
    paper prepares its screens.

    Parameters
    ----------
    adata
        Cells × genes with raw counts in ``X``. Changed in place: ``X`` becomes log-normalized,
        ``layers[counts_layer]`` the counts.
    target_sum
        Counts per cell after normalization.
    counts_layer
        Layer that keeps the counts.

    Raises
    ------
    TypeError
        If ``target_sum`` is no number.
    ValueError
        If a cell of ``X`` does not hold raw counts, ``target_sum`` is not positive, other values
        are in the layer already, or ``adata`` is a view or backed. Nothing is changed then.

    Warns
    -----
    UserWarning
        If cells have no counts; they stay zero.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.simulate(n_perturbations=5, n_genes=20, n_cells=10)
    >>> tx.pp.normalize(adata)
    >>> float(adata.layers["counts"].max()) > float(adata.X.max())
    True
    """
    import scanpy as sc

    check_anndata(adata)
    check_name("counts_layer", counts_layer)
    if adata.is_view or adata.isbacked:
        kind, remedy = ("backed", "to_memory") if adata.isbacked else ("a view", "copy")
        raise ValueError(
            f"adata is {kind} and cannot be changed in place. Run adata = adata.{remedy}() first, "
            f"or leave it and normalize as cells are read: target_sum={TARGET_SUM:g} in "
            "tx.pp.pseudobulk and TxPertModel.setup_anndata."
        )
    check_target_sum(target_sum)
    counts = expression_matrix(adata, None)
    _check_cells(counts, adata.obs_names)
    _check_layer(adata, counts, counts_layer)
    normalized = AnnData(counts.copy())
    sc.pp.normalize_total(normalized, target_sum=target_sum)
    sc.pp.log1p(normalized)
    adata.layers[counts_layer] = counts.copy()
    adata.X = normalized.X
    adata.uns["log1p"] = normalized.uns["log1p"]


def _check_cells(counts: Matrix, names: pd.Index) -> None:
    """Look at every cell, of a lazy matrix at a sample."""
    check_counts(counts, "adata.X")
    if hasattr(counts, "__dask_graph__"):
        return
    check = ValueCheck("adata.X", names, counts=True)
    for rows, block in iter_chunks(counts):
        check.add(rows, check.judge(block))
    check.conclude()


def _check_layer(adata: AnnData, counts: Matrix, layer: str) -> None:
    """Refuse to replace a layer of other values."""
    if layer not in adata.layers or adata.layers[layer] is adata.X:
        return
    kept = expression_matrix(adata, layer)
    same = kept.shape == counts.shape and not abs(kept - counts).sum()
    if not same:
        raise ValueError(
            f"adata.layers[{layer!r}] exists and differs from adata.X, which would replace it. "
            f"Delete it (del adata.layers[{layer!r}]), name another by counts_layer=, or, if it "
            f"holds the counts, put it into X first: adata.X = adata.layers[{layer!r}].copy()"
        )
