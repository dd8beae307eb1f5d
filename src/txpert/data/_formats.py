"""Matrices in memory of any kind, brought to the few kinds that the package computes with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

_ROWS = 4_096


class UnusableValuesError(ValueError):
    """Expression values that a message of ours explains, also where a dask worker found them."""


def plain_matrix(matrix: Any, where: str) -> Any:
    """Return a matrix in memory as an array, CSR or CSC matrix of native real numbers.

    Entries of a sparse matrix that name a place twice are added up, as scipy does; the matrix
    given stays as it is. What is on disk or lazy is returned untouched.

    Parameters
    ----------
    matrix
        Dense, masked, sparse, on disk or lazy.
    where
        How messages call it.

    Raises
    ------
    ValueError
        If values are masked or no real numbers.
    """
    if sparse.issparse(matrix):
        return _plain_sparse(matrix, where)
    if not isinstance(matrix, np.ndarray):
        return matrix
    if isinstance(matrix, np.ma.MaskedArray):
        if np.ma.getmaskarray(matrix).any():
            raise ValueError(
                f"{where} has masked values. Fill them in, or drop the cells or genes that have "
                "any: txpert has no use for missing values."
            )
        matrix = matrix.data
    dtype = _real_type(matrix.dtype, where)
    if matrix.dtype.kind == "O":
        return _numbers(matrix, where)
    return np.asarray(matrix).astype(dtype, copy=False)


def plain_block(block: Any) -> Any:
    """Return rows that were read as native real numbers, dense or sparse."""
    if isinstance(block, np.ndarray):
        return np.asarray(block).astype(_real_type(block.dtype, "The matrix"), copy=False)
    return block


def _plain_sparse(matrix: Any, where: str) -> Any:
    to = sparse.csc_matrix if matrix.format == "csc" else sparse.csr_matrix
    plain = to(matrix)  # Shares the values of what is CSR or CSC already.
    dtype = _real_type(plain.dtype, where)
    if dtype != plain.dtype:
        plain = plain.astype(dtype)
    if _has_repeats(plain):
        plain = plain.copy()
        plain.sum_duplicates()
    return plain


def _has_repeats(matrix: Any) -> bool:
    """Whether a CSR or CSC matrix names a place twice."""
    if matrix.has_canonical_format:
        return False
    for start in range(0, len(matrix.indptr) - 1, _ROWS):
        bounds = matrix.indptr[start : start + _ROWS + 1]
        line = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
        index = matrix.indices[bounds[0] : bounds[-1]]
        order = np.lexsort((index, line))
        if ((np.diff(line[order]) == 0) & (np.diff(index[order]) == 0)).any():
            return True
    return False


def _real_type(dtype: np.dtype[Any], where: str) -> npt.DTypeLike:
    """Return the native type of real numbers that holds what a type does."""
    if dtype.kind == "O":
        return np.float64
    if dtype.kind not in "fiub":
        raise ValueError(
            f"{where} holds values of the type {dtype}, not real numbers. Convert them: "
            "adata.X = adata.X.astype('float32')"
        )
    if dtype.kind == "b" or dtype == np.float16:
        return np.float32
    return np.float64 if dtype.kind == "f" and dtype.itemsize > 8 else dtype.newbyteorder("=")


def _numbers(matrix: npt.NDArray[Any], where: str) -> npt.NDArray[Any]:
    try:
        return matrix.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where} holds objects that are no numbers ({error}).") from error
