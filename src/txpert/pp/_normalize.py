"""Normalizing library sizes."""

from __future__ import annotations

from anndata import AnnData

from txpert._constants import TARGET_SUM
from txpert.data import check_counts, expression_matrix


def normalize(
    adata: AnnData, *, target_sum: float = TARGET_SUM, counts_layer: str = "counts"
) -> None:
    """Normalise library sizes and take log1p; the counts are kept in a layer.

    :func:`scanpy.pp.normalize_total` to ``target_sum`` and :func:`scanpy.pp.log1p`, as the
    paper prepares its screens.

    Parameters
    ----------
    adata
        Cells × genes with raw counts in ``X``. Changed in place: ``X`` becomes log-normalised,
        ``layers[counts_layer]`` the counts.
    target_sum
        Counts per cell after normalisation.
    counts_layer
        Layer that keeps the counts.

    Raises
    ------
    ValueError
        If ``X`` does not hold raw counts, or ``adata`` is a view or backed.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.simulate(n_perturbations=5, n_genes=20, n_cells=10)
    >>> tx.pp.normalize(adata)
    >>> float(adata.layers["counts"].max()) > float(adata.X.max())
    True
    """
    import scanpy as sc

    if adata.is_view or adata.isbacked:
        kind, remedy = ("backed", "to_memory") if adata.isbacked else ("a view", "copy")
        raise ValueError(
            f"adata is {kind} and cannot be changed in place. Run adata = adata.{remedy}() first, "
            f"or leave it and normalise as cells are read: target_sum={TARGET_SUM:g} in "
            "tx.pp.pseudobulk and TxPertModel.setup_anndata."
        )
    counts = expression_matrix(adata, None)
    check_counts(counts, "adata.X")
    adata.layers[counts_layer] = counts.copy()
    sc.pp.normalize_total(adata, target_sum=target_sum)
    sc.pp.log1p(adata)
