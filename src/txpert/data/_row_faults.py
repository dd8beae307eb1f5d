"""What is wrong with the rows of a block of an expression matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from txpert._types import BoolArray, FloatArray, IntArray, Matrix

LARGEST_LOG_VALUE = np.log1p(1e6)

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
    block = plain(block)
    highest, lowest = extremes(block)
    missing = np.isnan(highest)
    if missing.any():
        block = zero_filled(block)
        highest, lowest = extremes(block)
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
        faults[highest > LARGEST_LOG_VALUE] = TOO_LARGE
    faults[lowest < 0] = NEGATIVE
    faults[~np.isfinite(highest) | ~np.isfinite(lowest)] = NOT_FINITE
    faults[missing & np.isin(faults, (FINE, EMPTY))] = MISSING
    return faults


def extremes(block: Matrix) -> tuple[FloatArray, FloatArray]:
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


def zero_filled(block: Matrix) -> Matrix:
    """Return a block with 0 in place of NaN."""
    values = values_of(block)
    if not np.isnan(values).any():
        return block
    if not sparse.issparse(block):
        return np.where(np.isnan(block), 0, block)
    filled = block.copy()
    filled.data[np.isnan(filled.data)] = 0
    return filled


def plain(block: Matrix) -> Matrix:
    """Return a block as an array or a CSR matrix."""
    return sparse.csr_matrix(block) if sparse.issparse(block) else np.asarray(block)
