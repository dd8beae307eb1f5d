"""Counts that are log-normalized whenever they are read."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from scipy import sparse

from txpert._constants import TARGET_SUM
from txpert._types import IntArray, Matrix

from ._formats import UnusableValuesError, plain_block, plain_matrix
from ._storage import is_dask
from ._values import check_counts, values_of


class LogNormalized:
    """Counts that are normalized whenever rows of them are read.

    Parameters
    ----------
    counts
        Raw counts, in memory or on disk, ``(n_cells, n_genes)``.
    target_sum
        Counts per cell after normalization.
    """

    def __init__(self, counts: Matrix, target_sum: float) -> None:
        if sparse.issparse(counts) and counts.format != "csr":
            counts = counts.tocsr()
        self.counts = plain_matrix(counts, "The matrix of counts")
        self.target_sum = target_sum
        self.shape = counts.shape

    def __getitem__(self, rows: slice | IntArray) -> Matrix:
        """Return log1p of the normalized counts of some rows."""
        return log_normalize_rows(self.counts[rows], self.target_sum)


def log_normalized(counts: Matrix, target_sum: float | None, where: str) -> Matrix:
    """Return a matrix whose rows are normalized when they are read; nothing is read but a sample.

    Parameters
    ----------
    counts
        Raw counts; a dask array stays one.
    target_sum
        Counts per cell after normalization; ``None`` returns the matrix as it is.
    where
        How error messages call the matrix.

    Raises
    ------
    ValueError
        If the values are no counts or ``target_sum`` is not positive.
    """
    counts = plain_matrix(counts, where)
    if target_sum is None:
        return counts
    check_target_sum(target_sum)
    check_counts(counts, where)
    if not is_dask(counts):
        return LogNormalized(counts, target_sum)
    whole_rows = counts.rechunk({1: -1})
    meta = log_normalize_rows(whole_rows._meta, target_sum)
    return whole_rows.map_blocks(log_normalize_rows, target_sum, dtype=np.float32, meta=meta)


def check_target_sum(target_sum: float) -> None:
    """Refuse what is no number of counts.

    Raises
    ------
    TypeError
        If it is no number.
    ValueError
        If it is not positive and finite.
    """
    if isinstance(target_sum, bool) or not isinstance(target_sum, Real):
        raise TypeError(
            f"target_sum is a number of counts per cell such as {TARGET_SUM}, not {target_sum!r}."
        )
    if not 0 < target_sum < np.inf:
        raise ValueError(f"target_sum must be a positive number of counts, not {target_sum!r}.")


def log_normalize_rows(block: Any, target_sum: float) -> Any:
    """Normalize the rows of a block to a sum and take log1p; rows of zeros stay zeros."""
    is_sparse = sparse.issparse(block)
    block = plain_block(block)
    _refuse_fractions(block)
    values = sparse.csr_matrix(block, dtype=np.float32, copy=True) if is_sparse else block
    total = np.asarray(values.sum(axis=1, dtype=np.float64)).ravel()
    factor = np.divide(target_sum, total, out=np.ones_like(total), where=total > 0)
    factor = factor.astype(np.float32)
    if not is_sparse:
        return np.log1p(np.asarray(block, dtype=np.float32) * factor[:, None])
    values.data *= np.repeat(factor, np.diff(values.indptr))
    np.log1p(values.data, out=values.data)
    return values


def _refuse_fractions(block: Any) -> None:
    """Refuse values that no counts have; NaN and negative ones are found where they lead to."""
    values = values_of(block)
    broken = (values != np.floor(values)) & np.isfinite(values)
    if broken.any():
        raise UnusableValuesError(
            f"The counts to normalize (target_sum=) have the value {values[broken][0]:g}, which "
            "is no whole number. Name the layer that holds raw counts by layer=."
        )
