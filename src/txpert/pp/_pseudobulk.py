"""Averaging the cells of each condition."""

from __future__ import annotations

from collections.abc import Sequence

from anndata import AnnData

from txpert.data import ConditionTable, ObsKeys
from txpert.data._keys import (
    BATCH_KEY,
    CELL_LINE_KEY,
    CONTROL_KEY,
    MODALITY_KEY,
    PERTURBATION_KEY,
    SPLIT_KEY,
)
from txpert.data._matrix import place
from txpert.data._screen import Screen


def pseudobulk(
    adata: AnnData,
    *,
    perturbation_key: str = PERTURBATION_KEY,
    control_key: str = CONTROL_KEY,
    batch_key: str | None = BATCH_KEY,
    cell_line_key: str | None = CELL_LINE_KEY,
    split_key: str | None = SPLIT_KEY,
    modality_key: str | None = MODALITY_KEY,
    control_label: str | Sequence[str] | None = None,
    layer: str | None = None,
    target_sum: float | None = None,
) -> AnnData:
    """Average the cells of each condition (cell line × batch × modality × perturbation).

    One pass over the cells, which may be in memory, backed (h5ad, zarr) or lazy
    (:func:`anndata.experimental.read_lazy`); memory does not grow with their number. A dask array
    is read by the current scheduler, a cluster's workers if there is a ``distributed.Client``.
    Labels are written one way (``"B+A"`` counts as ``"A+B"``).

    Parameters
    ----------
    adata
        Cells × genes, log-normalized unless ``target_sum`` is given; not changed.
    perturbation_key, control_key, batch_key, cell_line_key, split_key, modality_key
        obs columns, as in :meth:`txpert.TxPertModel.setup_anndata`; by default those registered
        by it, if any.
    control_label
        Label or labels of unperturbed cells, instead of ``control_key``.
    layer
        Layer of the expression values; ``None`` takes ``X``.
    target_sum
        Normalize raw counts in the pass, to this many per cell, and take log1p, as
        :func:`normalize` does (which takes 4,000); ``None`` wants log-normalized values.

    Returns
    -------
    Conditions × genes: the mean profile in ``X``, that of the matched controls in
    ``layers["control"]``, their difference in ``layers["delta"]``; ``obs`` has perturbation,
    control, cell_line, batch, n_cells and, if there are any, modality and split. A gene that was
    not measured is NaN.

    Raises
    ------
    KeyError
        If a column or the layer does not exist.
    ValueError
        If annotation or values are unusable; the message says how to fix them.
    OSError
        If a file ends early or is damaged; the message names the rows.
    RuntimeError
        If the workers of a dask cluster die repeatedly.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.pseudobulk(adata).shape
    (26, 60)
    >>> tx.pp.pseudobulk(adata, layer="counts", target_sum=4_000).shape
    (26, 60)
    """
    keys = ObsKeys.of(
        adata,
        perturbation=perturbation_key,
        control=control_key,
        batch=batch_key,
        cell_line=cell_line_key,
        split=split_key,
        modality=modality_key,
        control_label=control_label,
    )
    screen = Screen.from_anndata(adata, keys, layer, target_sum)
    if target_sum is None:
        screen.check_values(place(layer))
    return ConditionTable.from_screen(screen).to_anndata()
