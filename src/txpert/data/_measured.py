"""Which genes a screen measured: NaN, or a mark for each cell line, stands for the others."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import BATCH, CELL_LINE, MEASURED, PERTURBATION
from txpert._types import BoolArray, FloatArray, IntArray, Matrix

from ._matrix import read_cells_of
from ._values import MISSING, NOT_FINITE, ValueCheck

_ROWS = 4_096


def all_zero(matrix: Matrix, rows: IntArray) -> bool:
    """Whether some rows have no value but 0 and NaN; reading ends at the first that has."""
    if not len(rows):
        return False
    starts = [0, 1, *range(2, len(rows), _ROWS)]
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        part = rows[start:end]
        if len(part) and np.nan_to_num(read_cells_of(matrix, part).data).any():
            return False
    return True


def read_measured(adata: AnnData) -> pd.DataFrame | None:
    """Return the mark of measured genes, genes × cell lines; ``None`` without one.

    Raises
    ------
    ValueError
        If ``varm`` has something else under that name.
    """
    if MEASURED not in adata.varm:
        return None
    marks = adata.varm[MEASURED]
    if not isinstance(marks, pd.DataFrame) or not all(marks.dtypes == np.bool_):
        raise ValueError(
            f"adata.varm[{MEASURED!r}] is no frame of booleans, genes × cell lines. "
            "tx.pp.mark_unmeasured(adata) makes it."
        )
    return marks


def unmeasured_entries(
    measured: pd.DataFrame | None, obs: pd.DataFrame, genes: pd.Index
) -> BoolArray:
    """Return where conditions are of a line that is marked not to have measured the gene.

    Parameters
    ----------
    measured
        From :func:`read_measured`. Lines that it does not name measured all genes.
    obs
        cell_line of each condition.
    genes
        Names of the genes.

    Returns
    -------
    Shape ``(n_conditions, n_genes)``.
    """
    lines = obs[CELL_LINE].astype(str).to_numpy()
    mask = np.zeros((len(obs), len(genes)), dtype=bool)
    if measured is None:
        return mask
    gone, unmarked = set(map(str, measured)) - set(lines), set(lines) - set(map(str, measured))
    if gone and unmarked:
        warnings.warn(
            f"Genes are marked as measured or not in {sorted(gone)}, which the data no longer "
            f"have, and nothing is marked for {sorted(unmarked)}, which count as measured whole. "
            "If cell lines were renamed, run tx.pp.mark_unmeasured again.",
            UserWarning,
            stacklevel=4,
        )
    for line in measured:
        mask[lines == str(line)] = ~measured[line].to_numpy()
    return mask


def check_panel(
    mean: FloatArray, obs: pd.DataFrame, condition: IntArray, genes: pd.Index, check: ValueCheck
) -> None:
    """Refuse expression that is infinite, or NaN in some cells of a context only.

    A gene that was not measured is NaN in all cells of a cell line × batch. Effects are not
    asked: a table of them may lack single entries.

    Parameters
    ----------
    mean
        Mean profile of each condition, ``(n_conditions, n_genes)``.
    obs
        The conditions.
    condition
        Condition of each cell, ``(n_cells,)``.
    genes
        Names of the genes.
    check
        Of the cells that were averaged.

    Raises
    ------
    ValueError
        The message names the gene and the first cell.
    """
    if np.isfinite(mean).all():
        return
    broken = np.isinf(mean)
    if not check.effects:
        missing = np.isnan(mean)
        broken |= missing & check.partly_missing(condition, len(obs))[:, None]
        context = obs.groupby([CELL_LINE, BATCH], observed=True).ngroup().to_numpy()
        for number in np.unique(context):
            rows = context == number
            partly = missing[rows].any(axis=0) & ~missing[rows].all(axis=0)
            broken[rows] |= missing[rows] & partly
    if not broken.any():
        return
    row, gene = np.argwhere(broken)[0]
    fault = NOT_FINITE if len(check.cells(NOT_FINITE)) else MISSING
    raise ValueError(
        f"Expression of gene {genes[gene]!r} is NaN or infinite in cells of perturbation "
        f"{obs[PERTURBATION].iloc[row]!r} (cell line {obs[CELL_LINE].iloc[row]!r}, batch "
        f"{obs[BATCH].iloc[row]!r}), the first of them {check.first(fault)}. Remove those "
        "cells or genes first; a gene that was not measured is NaN in all cells of a cell line "
        "and batch."
    )


def zero_genes(mean: FloatArray, lines: pd.Series) -> dict[str, BoolArray]:
    """Find the genes that are zero in all conditions of a line although another expresses them.

    Parameters
    ----------
    mean
        Mean profile of each condition, controls included, ``(n_conditions, n_genes)``.
    lines
        Cell line of each.

    Returns
    -------
    For each line that has any, which genes, ``(n_genes,)``.
    """
    names = lines.astype(str).to_numpy()
    with np.errstate(invalid="ignore"):
        expressed = {line: (mean[names == line] != 0).any(axis=0) for line in np.unique(names)}
        nan = {line: np.isnan(mean[names == line]).all(axis=0) for line in expressed}
    anywhere = np.any([expressed[line] & ~nan[line] for line in expressed], axis=0)
    found = {line: anywhere & ~expressed[line] for line in expressed}
    return {str(line): genes for line, genes in found.items() if genes.any()}


def warn_of_zero_genes(mean: FloatArray, obs: pd.DataFrame) -> None:
    """Warn of genes that look as if a line had not measured them; see :func:`zero_genes`."""
    found = zero_genes(mean, obs[CELL_LINE])
    if found:
        shown = ", ".join(f"{genes.sum():,} in {line!r}" for line, genes in found.items())
        warnings.warn(
            f"Of the {mean.shape[1]:,} genes some are zero in all cells of a cell line while "
            f"others express them: {shown}. An outer join of screens leaves genes like that "
            "that were not measured, and they are taken for unchanged. If so, run "
            "tx.pp.mark_unmeasured(adata) first, which leaves them out there.",
            UserWarning,
            stacklevel=4,
        )
