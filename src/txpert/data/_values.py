"""Whether the values of an expression matrix are what they should be, cell by cell."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from txpert._types import BoolArray, FloatArray, IntArray, Matrix

from ._formats import UnusableValuesError
from ._matrix import row_slices
from ._storage import in_memory, read_block

_SAMPLED_ROWS = 1_000
_SAMPLED_RUNS = 10
_LARGEST_LOG_VALUE = np.log1p(1e6)
_SAME_SUM = 1e-5
"""Relative difference of cell sums below which they count as one."""
_FEW_CELLS = 10
_MANY = 0.1
"""Fraction of cells with one sum that measured log values do not reach."""

FINE, NOT_FINITE, NEGATIVE, WHOLE, TOO_LARGE, EMPTY, FRACTION, MISSING = range(8)


def values_of(matrix: Matrix) -> npt.NDArray[Any]:
    """Return the stored values of a block: all of a dense one, the non-zeros of a sparse one."""
    return matrix.data if sparse.issparse(matrix) else np.asarray(matrix).ravel()


def row_faults(block: Matrix, *, counts: bool = False, effects: bool = False) -> IntArray:
    """Judge each row of log-normalized values, of counts or of effects.

    Parameters
    ----------
    block
        Rows in memory, dense or sparse, ``(n, n_genes)``.
    counts
        Whether the rows should be raw counts.
    effects
        Whether the rows are effects, of any sign and size.

    Returns
    -------
    The fault of each row, ``(n,)``: ``FINE``; infinite, negative or empty; of log-normalized
    values whole numbers only or too large ones; of counts a fraction; ``MISSING`` if nothing else
    is wrong than that some are NaN.
    """
    block = _plain(block)
    highest, lowest = _extremes(block)
    missing = np.isnan(highest)
    if missing.any():
        block = _zero_filled(block)
        highest, lowest = _extremes(block)
    faults = np.full(len(highest), FINE, dtype=np.int8)
    if effects:
        faults[missing] = MISSING
        faults[~np.isfinite(highest) | ~np.isfinite(lowest)] = NOT_FINITE
        return faults
    faults[(highest == 0) & (lowest == 0)] = EMPTY
    if counts:
        faults[_fractional(block)] = FRACTION
    else:
        with np.errstate(invalid="ignore"):
            suspect = np.flatnonzero((highest % 1 == 0) & (highest > 0))
        faults[suspect[~_fractional(block[suspect])]] = WHOLE
        faults[highest > _LARGEST_LOG_VALUE] = TOO_LARGE
    faults[lowest < 0] = NEGATIVE
    faults[~np.isfinite(highest) | ~np.isfinite(lowest)] = NOT_FINITE
    faults[missing & np.isin(faults, (FINE, EMPTY))] = MISSING
    return faults


def _extremes(block: Matrix) -> tuple[FloatArray, FloatArray]:
    """Return the highest and lowest value of each row, zeros of a sparse one included."""
    if not sparse.issparse(block):
        wide = block if block.shape[1] else np.zeros((len(block), 1))
        return wide.max(axis=1).astype(float), wide.min(axis=1).astype(float)
    length = np.diff(block.indptr)
    high, low = np.zeros(len(length)), np.zeros(len(length))
    filled = length > 0
    if filled.any():
        start = block.indptr[:-1][filled]
        high[filled] = np.maximum.reduceat(block.data, start)
        low[filled] = np.minimum.reduceat(block.data, start)
    gaps = length < block.shape[1]
    return np.where(gaps, np.maximum(high, 0), high), np.where(gaps, np.minimum(low, 0), low)


def _fractional(block: Matrix) -> BoolArray:
    """Return which rows have a value that is no whole number."""
    if not sparse.issparse(block):
        return (block != np.floor(block)).any(axis=1)
    broken = np.concatenate([[0], np.cumsum(block.data != np.floor(block.data))])
    return broken[block.indptr[1:]] > broken[block.indptr[:-1]]


class ValueCheck:
    """Collects the faults of cells in a pass over them, and says at its end which there are.

    Parameters
    ----------
    where
        How messages call the matrix.
    names
        Names of the cells.
    group
        Batch of each cell, for messages.
    counts
        Whether the cells should hold raw counts.
    effects
        Whether the rows are effects, of any sign and size.
    missing
        Whether NaN is allowed: the gene was not measured.
    """

    def __init__(
        self,
        where: str,
        names: pd.Index | None = None,
        group: pd.Categorical | None = None,
        counts: bool = False,
        effects: bool = False,
        missing: bool = False,
    ) -> None:
        self.where = where
        self.names = names
        self.group = group
        self.counts = counts
        self.effects = effects
        self.missing = missing
        self.n_cells = 0
        self._found: dict[int, list[IntArray]] = {}

    def judge(self, block: Matrix) -> IntArray:
        """Return the faults of a block's rows, wherever it is read."""
        return row_faults(block, **self.options)

    @property
    def options(self) -> dict[str, bool]:
        """Return what :func:`row_faults` is to know of the rows."""
        return {"counts": self.counts, "effects": self.effects}

    def add(self, rows: slice | IntArray, faults: IntArray) -> None:
        """Collect the faults of the cells at these positions, ``(n,)``."""
        self.n_cells += len(faults)
        for fault in np.unique(faults[faults != FINE]):
            found = np.flatnonzero(faults == fault)
            where = rows.start + found if isinstance(rows, slice) else rows[found]
            self._found.setdefault(int(fault), []).append(where)

    def cells(self, fault: int) -> IntArray:
        """Return the positions of the cells with a fault."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *self._found.get(fault, [])])

    def refuse(self) -> None:
        """Raise an error if there are unusable cells.

        Raises
        ------
        UnusableValuesError
            The message names the first cell and counts them.
        """
        refused = (NOT_FINITE, NEGATIVE, FRACTION, WHOLE, TOO_LARGE)
        for fault in refused if self.missing else (MISSING, *refused):
            rows = self.cells(fault)
            if len(rows):
                raise UnusableValuesError(self._message(fault, rows))

    def partly_missing(self, group: IntArray, n_groups: int) -> BoolArray:
        """Return of which groups of cells some have NaN and others have none."""
        lacking = np.bincount(group[self.cells(MISSING)], minlength=n_groups)
        return (lacking > 0) & (lacking < np.bincount(group, minlength=n_groups))

    def refuse_partly_missing(self, group: IntArray, n_groups: int) -> None:
        """Raise an error if some cells of a group have NaN and others have none.

        Raises
        ------
        UnusableValuesError
            The message names the first cell and counts them.
        """
        rows = self.cells(MISSING)
        rows = rows[self.partly_missing(group, n_groups)[group[rows]]]
        if len(rows):
            raise UnusableValuesError(self._message(MISSING, rows))

    def conclude(self) -> None:
        """Raise an error as :meth:`refuse` does, and warn of empty cells."""
        self.refuse()
        empty = self.cells(EMPTY)
        if len(empty) == self.n_cells:
            raise UnusableValuesError(f"{self.where} is zero in all genes of all cells.")
        if len(empty):
            warnings.warn(
                f"{self.where} is zero in all genes {self._of(empty)}. Drop such cells, which "
                "say nothing: scanpy.pp.filter_cells(adata, min_genes=1)",
                UserWarning,
                stacklevel=3,
            )

    def first(self, fault: int) -> str:
        """Name the first cell with a fault."""
        row = int(self.cells(fault)[0])
        return f"cell {row}" if self.names is None else f"cell {str(self.names[row])!r}"

    def _of(self, rows: IntArray) -> str:
        of = f"in {len(rows):,} of {self.n_cells:,} cells"
        first = f"cell {rows[0]}" if self.names is None else repr(str(self.names[rows[0]]))
        groups = "" if self.group is None else f" (batch {str(self.group[rows[0]])!r})"
        return f"{of}, such as {first}{groups}"

    def _message(self, fault: int, rows: IntArray) -> str:
        of = self._of(rows)
        if fault in (NOT_FINITE, MISSING):
            return f"{self.where} is NaN or infinite {of}. Remove those cells or genes first."
        if self.counts:
            what = "negative values" if fault == NEGATIVE else "values that are not whole"
            return (
                f"{self.where} does not hold raw counts: it has {what} {of}. Remove those cells, "
                "or put the counts into X first; data that are log-normalized already need no "
                "further normalization."
            )
        what = {
            NEGATIVE: "is negative",
            WHOLE: "looks like raw counts (whole numbers only)",
            TOO_LARGE: "is too large for log1p of normalized counts",
        }[fault]
        return (
            f"{self.where} {what} {of}. All cells must be log1p of normalized counts: remove "
            "those cells, or put the counts of all cells into X and run tx.pp.normalize(adata)."
        )


def check_counts(matrix: Matrix, where: str) -> None:
    """Refuse values that are not raw counts.

    Raises
    ------
    UnusableValuesError
        If sampled values are negative, NaN, infinite or not whole.
    """
    values = _finite_values(list(sampled_blocks(matrix)), where)
    if (values < 0).any() or (values % 1 != 0).any():
        raise UnusableValuesError(
            f"{where} does not hold raw counts: it has the value "
            f"{values[(values < 0) | (values % 1 != 0)][0]:g}. Data that are log-normalized "
            "already need no further normalization; else put the counts into X first."
        )


def check_log_normalized(matrix: Matrix, where: str, *, missing: bool = False) -> None:
    """Refuse values that are not log1p of library-size-normalized counts.

    Parameters
    ----------
    matrix
        Cells × genes.
    where
        How error messages call the matrix.
    missing
        Whether NaN is allowed: the gene was not measured.

    Raises
    ------
    UnusableValuesError
        If sampled values are raw counts, in some cells or all, negative, NaN, infinite, too large
        for a logarithm, or normalized but not logarithms.
    """
    blocks = list(sampled_blocks(matrix))
    if missing:
        blocks = [_zero_filled(_plain(block)) for block in blocks]
    values = _finite_values(blocks, where)
    if (values < 0).any():
        raise UnusableValuesError(
            f"{where} has the negative value {values.min():g}, so it looks scaled. txpert wants "
            "log1p of normalized counts: put the counts into X and run tx.pp.normalize(adata)."
        )
    if values.size and (values % 1 == 0).all() and values.max() > 0:
        raise UnusableValuesError(
            f"{where} looks like raw counts (whole numbers up to {values.max():g}). Run "
            "tx.pp.normalize(adata) first, or name the layer that is log-normalized by layer=."
        )
    if values.size and values.max() > _LARGEST_LOG_VALUE:
        raise UnusableValuesError(
            f"{where} has values up to {values.max():g}, too large for log1p of normalized "
            "counts. Put the counts into X and run tx.pp.normalize(adata)."
        )
    _check_sampled_cells(blocks, where)


def _check_sampled_cells(blocks: list[Matrix], where: str) -> None:
    """Refuse cells of raw counts among others, and many cells of one sum that differ."""
    faults = np.concatenate([row_faults(block) for block in blocks])
    whole = int((faults == WHOLE).sum())
    if whole:
        raise UnusableValuesError(
            f"{where} looks like raw counts in {whole:,} of {len(faults):,} cells looked at "
            "(whole numbers only) and like log-normalized values in the others. Put the counts "
            "of all cells into X and run tx.pp.normalize(adata)."
        )
    total = np.concatenate([np.asarray(block.sum(axis=1), float).ravel() for block in blocks])
    highest = np.concatenate([_extremes(_plain(block))[0] for block in blocks])
    total, highest = total[total > 0], highest[total > 0]
    if len(total) < 2 * _FEW_CELLS:
        return
    rounded, n = np.unique(np.round(np.log(total) / _SAME_SUM), return_counts=True)
    common = np.round(np.log(total) / _SAME_SUM) == rounded[n.argmax()]
    differ = len(np.unique(np.round(highest[common], 3))) > _FEW_CELLS
    if differ and common.mean() > _MANY:
        raise UnusableValuesError(
            f"{where} sums up to {np.median(total[common]):g} in {common.sum():,} of "
            f"{len(total):,} cells looked at, so it looks normalized without a logarithm. Run "
            "scanpy.pp.log1p(adata) on those cells."
        )


def check_effects(matrix: Matrix, where: str) -> None:
    """Refuse effects that are infinite; any other number will do, and NaN is not measured.

    Raises
    ------
    UnusableValuesError
        If a sampled value is infinite, or all are zero.
    """
    blocks = [_zero_filled(_plain(block)) for block in sampled_blocks(matrix)]
    if not _finite_values(blocks, where).any():
        raise UnusableValuesError(f"{where} is zero in all genes of all cells.")


def _zero_filled(block: Matrix) -> Matrix:
    """Return a block with 0 in place of NaN."""
    values = values_of(block)
    if not np.isnan(values).any():
        return block
    if not sparse.issparse(block):
        return np.where(np.isnan(block), 0, block)
    filled = block.copy()
    filled.data[np.isnan(filled.data)] = 0
    return filled


def _plain(block: Matrix) -> Matrix:
    return sparse.csr_matrix(block) if sparse.issparse(block) else np.asarray(block)


def _finite_values(blocks: list[Matrix], where: str) -> npt.NDArray[Any]:
    values = np.concatenate([np.asarray(values_of(block)) for block in blocks])
    if not np.isfinite(values).all():
        raise UnusableValuesError(
            f"{where} has NaN or infinite values; remove those cells or genes first."
        )
    return values


def sampled_blocks(matrix: Matrix) -> Iterator[Matrix]:
    """Yield rows spread over the matrix: single ones, or, from disk, a few runs of them."""
    n = matrix.shape[0]
    if in_memory(matrix):
        yield matrix[np.unique(np.linspace(0, n - 1, min(n, _SAMPLED_ROWS)).astype(int))]
        return
    runs = list(row_slices(matrix, _SAMPLED_ROWS // _SAMPLED_RUNS))
    for run in np.unique(np.linspace(0, len(runs) - 1, min(len(runs), _SAMPLED_RUNS)).astype(int)):
        first = runs[run].start
        last = min(runs[run].stop, first + _SAMPLED_ROWS // _SAMPLED_RUNS)
        yield read_block(matrix, slice(first, last))
