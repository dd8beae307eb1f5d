"""Whether the values of an expression matrix are what they should be, cell by cell."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd

from txpert._types import BoolArray, IntArray, Matrix

from ._formats import UnusableValuesError
from ._row_faults import (
    EMPTY,
    FINE,
    FRACTION,
    LARGEST_LOG_VALUE,
    MISSING,
    NEGATIVE,
    NOT_FINITE,
    TOO_LARGE,
    WHOLE,
    extremes,
    plain,
    row_faults,
    values_of,
    zero_filled,
)
from ._sampling import Sample, sampled_blocks

_SAME_SUM = 1e-5
"""Relative difference of cell sums below which they count as one."""
_FEW_CELLS = 10
_MANY = 0.1
"""Fraction of cells with one sum that measured log values do not reach."""


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


class _SampleCheck(ValueCheck):
    """Judges rows that were looked at instead of all, and speaks of their values."""

    def __init__(
        self,
        sample: Iterable[Sample],
        where: str,
        *,
        counts: bool = False,
        effects: bool = False,
        missing: bool = False,
    ) -> None:
        super().__init__(where, counts=counts, effects=effects, missing=missing)
        self.blocks: list[Matrix] = []
        for rows, block in sample:
            self.blocks.append(block)
            self.add(rows, self.judge(block))

    def refuse(self) -> None:
        """Raise an error if there are unusable rows; NaN that is not allowed comes first."""
        if not self.missing and any(np.isnan(values_of(block)).any() for block in self.blocks):
            raise UnusableValuesError(self._message(MISSING, self.cells(MISSING)))
        super().refuse()

    def _message(self, fault: int, rows: IntArray) -> str:
        if fault in (NOT_FINITE, MISSING):
            return f"{self.where} has NaN or infinite values; remove those cells or genes first."
        values = np.concatenate([np.asarray(values_of(block)) for block in self.blocks])
        values = values[np.isfinite(values)]
        if self.counts:
            return (
                f"{self.where} does not hold raw counts: it has the value "
                f"{values[(values < 0) | (values % 1 != 0)][0]:g}. Data that are log-normalized "
                "already need no further normalization; else put the counts into X first."
            )
        if fault == NEGATIVE:
            return (
                f"{self.where} has the negative value {values.min():g}, so it looks scaled. "
                "txpert wants log1p of normalized counts: put the counts into X and run "
                "tx.pp.normalize(adata)."
            )
        if (values % 1 == 0).all():
            return (
                f"{self.where} looks like raw counts (whole numbers up to {values.max():g}). Run "
                "tx.pp.normalize(adata) first, or name the layer that is log-normalized by layer=."
            )
        if values.max() > LARGEST_LOG_VALUE:
            return (
                f"{self.where} has values up to {values.max():g}, too large for log1p of "
                "normalized counts. Put the counts into X and run tx.pp.normalize(adata)."
            )
        return (
            f"{self.where} looks like raw counts in {len(rows):,} of {self.n_cells:,} cells "
            "looked at (whole numbers only) and like log-normalized values in the others. Put "
            "the counts of all cells into X and run tx.pp.normalize(adata)."
        )


def check_counts(matrix: Matrix, where: str) -> None:
    """Refuse values that are not raw counts.

    Raises
    ------
    UnusableValuesError
        If sampled values are negative, NaN, infinite or not whole.
    """
    _SampleCheck(sampled_blocks(matrix), where, counts=True).refuse()


def check_log_normalized(
    matrix: Matrix, where: str, *, missing: bool = False, sample: Iterable[Sample] | None = None
) -> None:
    """Refuse values that are not log1p of library-size-normalized counts.

    Parameters
    ----------
    matrix
        Cells × genes.
    where
        How error messages call the matrix.
    missing
        Whether NaN is allowed: the gene was not measured.
    sample
        Rows of it (:func:`sampled_blocks`), if they were read already.

    Raises
    ------
    UnusableValuesError
        If sampled values are raw counts, in some cells or all, negative, NaN, infinite, too large
        for a logarithm, or normalized but not logarithms.
    """
    check = _SampleCheck(
        sampled_blocks(matrix) if sample is None else sample, where, missing=missing
    )
    check.refuse()
    _refuse_one_sum(check.blocks, where)


def _refuse_one_sum(blocks: list[Matrix], where: str) -> None:
    """Refuse cells of one sum that differ, if they are many: there was no logarithm."""
    blocks = [zero_filled(plain(block)) for block in blocks]
    total = np.concatenate([np.asarray(block.sum(axis=1), float).ravel() for block in blocks])
    highest = np.concatenate([extremes(block)[0] for block in blocks])
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
    check = _SampleCheck(sampled_blocks(matrix), where, effects=True, missing=True)
    check.refuse()
    if not any(np.nan_to_num(values_of(block)).any() for block in check.blocks):
        raise UnusableValuesError(f"{where} is zero in all genes of all cells.")
