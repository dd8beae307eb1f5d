"""The sum that cells of log-normalized expression were normalized to, where it can be told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from txpert._constants import N_CELLS
from txpert._types import BoolArray, FloatArray, IntArray, Matrix

from ._formats import UnusableValuesError, plain_block
from ._row_faults import extremes, plain, zero_filled
from ._sampling import Sample, rows_of_groups, sampled_blocks
from ._storage import in_memory

_SAME = 0.01
"""Relative difference of the sums of cells up to which they count as one."""
_TOLERANCE = 0.02
"""Relative difference of the sums that groups of cells were normalized to."""
_FEWEST, _MOST = 10, 50
"""Cells of a group that are looked at."""


def counts_per_cell(block: Matrix) -> FloatArray:
    """Return the sum of the counts of each cell from their logarithms, ``(n,)``; NaN counts 0."""
    block = zero_filled(block)
    with np.errstate(over="ignore"):
        counts = block.expm1() if sparse.issparse(block) else np.expm1(block)
    return np.asarray(counts.sum(axis=1, dtype=float)).ravel()


def one_sum(sums: FloatArray) -> float:
    """Return what cells were normalized to by their sums, ``(n,)``; NaN if these vary."""
    middle = float(np.median(sums))
    return middle if np.abs(sums / middle - 1).max() < _SAME else np.nan


def sums_of_groups(
    matrix: Matrix, group: IntArray, n_groups: int, sample: Iterable[Sample] | None = None
) -> FloatArray:
    """Return what the cells of each group were normalized to, ``(n_groups,)``.

    It is NaN where it cannot be told: there are fewer than 10 cells, their sums vary (some genes
    are left out), or no gene is zero in any (these are no logarithms of counts of cells).

    Parameters
    ----------
    matrix
        Log-normalized expression, in memory, on disk or lazy.
    group
        Group of each cell, ``(n_cells,)``.
    n_groups
        Number of groups.
    sample
        Cells to look at where the matrix is not in memory, if they were read already.
    """
    if in_memory(matrix):
        rows = rows_of_groups(group, _MOST)
        sample = [(rows, matrix[rows])]
    parts = list(sampled_blocks(matrix) if sample is None else sample)
    of_row = group[np.concatenate([rows for rows, _ in parts])]
    blocks = [plain_block(block) for _, block in parts]
    total = np.concatenate([counts_per_cell(block) for block in blocks])
    lowest = np.concatenate([extremes(plain(zero_filled(block)))[1] for block in blocks])
    found = np.full(n_groups, np.nan)
    for number in np.unique(of_row):
        cells = (of_row == number) & (total > 0)
        if cells.sum() >= _FEWEST and lowest[cells].min() == 0 and np.isfinite(total[cells]).all():
            found[number] = one_sum(total[cells])
    return found


def sum_of_cells(matrix: Matrix, obs: Any) -> float:
    """Return what all cells were normalized to; NaN as :func:`sums_of_groups`, or of a pseudobulk.

    Parameters
    ----------
    matrix
        Log-normalized expression, in memory, on disk or lazy.
    obs
        Annotation of the cells.
    """
    if N_CELLS in obs:
        return np.nan
    return float(sums_of_groups(matrix, np.zeros(matrix.shape[0], dtype=np.int64), 1)[0])


def check_one_sum(
    matrix: Matrix,
    cell_line: pd.Categorical,
    control: BoolArray,
    sample: Iterable[Sample] | None = None,
) -> None:
    """Refuse cell lines, or controls and perturbed cells, that were normalized to other sums.

    Parameters
    ----------
    matrix, sample
        As :func:`sums_of_groups`.
    cell_line, control
        Of each cell, ``(n_cells,)``.

    Raises
    ------
    UnusableValuesError
        The message names the sums.
    """
    lines = cell_line.categories.astype(str)
    group = 2 * cell_line.codes.astype(np.int64) + control
    sums = sums_of_groups(matrix, group, 2 * len(lines), sample).reshape(-1, 2)
    first: tuple[str, float] | None = None
    for line, (perturbed, controls) in zip(lines, sums, strict=True):
        of_line = f" of cell line {line!r}" if len(lines) > 1 else ""
        refuse_other_sum(f"Perturbed cells{of_line}", perturbed, "control cells", controls)
        total = controls if np.isnan(perturbed) else perturbed
        if np.isnan(total):
            continue
        if first is None:
            first = line, total
        refuse_other_sum(f"Cells of cell line {line!r}", total, f"those of {first[0]!r}", first[1])


def refuse_other_sum(cells: str, total: float, others: str, expected: float) -> None:
    """Raise an error if cells were normalized to another sum than others; NaN is not compared.

    Raises
    ------
    UnusableValuesError
        If the sums differ by more than 2%.
    """
    if abs(total / expected - 1) > _TOLERANCE:
        raise UnusableValuesError(
            f"{cells} are normalized to {_shown(total)} counts, {others} to {_shown(expected)}. "
            "Normalize all cells to one sum: put the counts into X and run "
            f"tx.pp.normalize(adata, target_sum={float(f'{expected:.5g}'):g})."
        )


def _shown(total: float) -> str:
    return f"{total:,.0f}" if total >= 100 else f"{total:.3g}"
