"""Highly variable genes chosen without held-out cells."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import CELL_LINE, CONTROL, PERTURBATION, SPLIT, TRAIN
from txpert._options import check_choice, check_flag, check_whole
from txpert._types import BoolArray
from txpert.data import ObsKeys
from txpert.data._group_sums import group_sums
from txpert.data._keys import (
    CELL_LINE_KEY,
    CONTROL_KEY,
    PERTURBATION_KEY,
    SPLIT_KEY,
    check_anndata,
)
from txpert.data._matrix import expression_matrix, place, read_cells_of
from txpert.data._storage import is_dask
from txpert.data._tokens import parse_targets
from txpert.data._values import ValueCheck
from txpert.splits._cells import names_by_line, perturbed_conditions, read_cells, trained_on
from txpert.splits._perturbations import record_key

logger = logging.getLogger("txpert")

GENES_KEY = "txpert_genes"
"""Key in ``uns`` that tells what the genes were chosen from."""

Flavor = Literal["seurat", "cell_ranger", "seurat_v3", "seurat_v3_paper"]


def highly_variable_genes(
    adata: AnnData,
    n_top_genes: int = 5_000,
    *,
    cell_line: str | None = None,
    keep_targets: bool = False,
    flavor: Flavor = "seurat",
    layer: str | None = None,
    split_key: str = SPLIT_KEY,
    perturbation_key: str = PERTURBATION_KEY,
    control_key: str = CONTROL_KEY,
    cell_line_key: str | None = CELL_LINE_KEY,
    control_label: str | Sequence[str] | None = None,
) -> None:
    """Choose highly variable genes from training and control cells alone.

    :func:`scanpy.pp.highly_variable_genes`, kept away from the perturbed cells of validation and
    test. Where a cell line is held out, its genes are chosen: from its control cells, among the
    genes that all training lines measure, that is, that are not zero in all of their cells. With
    several lines and none held out, the lines are scanpy's batches.

    Parameters
    ----------
    adata
        Cells × genes with a split, log-normalized unless ``flavor`` asks for counts. Written are
        ``var["highly_variable"]``, scanpy's statistics, and ``uns["txpert_genes"]``,
        by which :func:`check_split` can tell which perturbations were used. To drop the other
        genes: ``adata = adata[:, adata.var["highly_variable"]].copy()``.
    n_top_genes
        Number of genes; all candidates if there are fewer. Genes that scanpy's ``"seurat"`` ranks
        level with the last one are chosen, too.
    cell_line
        Line whose genes are chosen; by default the test line that :func:`split` recorded, if
        any, else all lines.
    keep_targets
        Choose the measured targets of all perturbations too, on top of ``n_top_genes``; their
        names are known without any cell.
    flavor, layer
        As in scanpy; ``"seurat_v3"`` wants the layer of counts.
    split_key, perturbation_key, control_key, cell_line_key
        obs columns; by default those registered by ``setup_anndata``, if any.
    control_label
        Label or labels of unperturbed cells, instead of ``control_key``.

    Raises
    ------
    KeyError
        If a column or the layer does not exist; the split must.
    ValueError
        If the cell line is unknown, no gene is measured in all training lines, or annotation is
        unusable.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.pp.highly_variable_genes(adata, n_top_genes=20)
    >>> int(adata.var["highly_variable"].sum())
    20
    """
    import scanpy as sc

    check_whole("n_top_genes", n_top_genes, least=1)
    check_flag("keep_targets", keep_targets)
    check_choice("flavor", flavor, get_args(Flavor))
    check_anndata(adata)
    if adata.is_view:
        raise ValueError("adata is a view; make a copy first: adata = adata.copy()")
    keys = ObsKeys.of(
        adata,
        perturbation=perturbation_key,
        control=control_key,
        cell_line=cell_line_key,
        split=split_key,
        control_label=control_label,
    )
    matrix = expression_matrix(adata, layer)
    cells = read_cells(adata, keys)
    line = _line(cells, cell_line, adata.uns.get(record_key(str(keys.split)), {}))
    learned = trained_on(cells)
    candidate = _measured(matrix, cells, learned)
    used = learned & (cells[CELL_LINE] == line).to_numpy() if line else learned
    several = cells.loc[used, CELL_LINE].nunique() > 1
    rows = np.flatnonzero(used)
    chosen = (read_cells_of(matrix, rows) if is_dask(matrix) else matrix[rows])[:, candidate]
    check = ValueCheck(place(layer), adata.obs_names, counts=str(flavor).startswith("seurat_v3"))
    check.add(rows, check.judge(chosen))
    check.conclude()
    table = AnnData(chosen, cells.loc[used, [CELL_LINE]], adata.var[[]][candidate])
    sc.pp.highly_variable_genes(
        table,
        n_top_genes=min(n_top_genes, int(candidate.sum())),
        flavor=flavor,
        batch_key=CELL_LINE if several else None,
    )
    statistics = table.var.reindex(adata.var_names)
    statistics["highly_variable"] = statistics["highly_variable"].eq(True)
    if keep_targets:
        targets = {t for label in cells[PERTURBATION].cat.categories for t in parse_targets(label)}
        measured = adata.var_names.isin(targets)
        _say_how_many_kept(int(measured.sum()), len(targets))
        statistics["highly_variable"] |= measured
    adata.var[statistics.columns] = statistics
    seen = cells[used & ~cells[CONTROL].to_numpy()]
    adata.uns[GENES_KEY] = {
        "n_top_genes": n_top_genes,
        "flavor": flavor,
        "keep_targets": keep_targets,
        "cell_line": line or "all",
        "n_cells": int(used.sum()),
        "conditions": np.array(names_by_line(perturbed_conditions(seen)), dtype=object),
    }


def _say_how_many_kept(measured: int, targets: int) -> None:
    """Say how many targets are var names; warn if none is."""
    if measured:
        logger.info("keep_targets keeps the %d of %d targets measured.", measured, targets)
        return
    warnings.warn(
        f"keep_targets=True keeps none of the {targets:,} targets: none is among adata.var_names. "
        "Use the same names in both (tx.graph.map_genes).",
        UserWarning,
        stacklevel=3,
    )


def _line(cells: pd.DataFrame, asked: str | None, record: dict[str, Any]) -> str | None:
    line = record.get("test_cell_line") if asked is None else asked
    known = sorted(cells[CELL_LINE].unique())
    if line is not None and line not in known:
        raise ValueError(f"There is no cell line {line!r}; there are {', '.join(known)}.")
    return line


def _measured(matrix: Any, cells: pd.DataFrame, learned: BoolArray) -> BoolArray:
    """Return which genes each training line measures, in its training and control cells."""
    trained = sorted(cells.loc[cells[SPLIT] == TRAIN, CELL_LINE].unique())
    lines = cells[CELL_LINE].cat.categories
    group = np.where(learned, cells[CELL_LINE].cat.codes, len(lines))
    sums = group_sums(matrix, group, len(lines) + 1)[:-1]
    missing = np.isnan(sums).any(axis=1)
    if missing.any():
        warnings.warn(
            f"{np.isnan(sums).any(axis=0).sum():,} genes are NaN in cells of "
            f"{', '.join(map(repr, lines[missing]))}; they are not chosen.",
            UserWarning,
            stacklevel=3,
        )
    measured = np.all(sums[lines.isin(trained)] > 0, axis=0)
    if not measured.any():
        raise ValueError(
            f"No gene is measured in all of the cell lines {', '.join(trained)}: each is zero in "
            "all training and control cells of one of them."
        )
    return measured
