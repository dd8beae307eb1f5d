"""Whether the values of an expression matrix are what they should be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from txpert._types import Matrix

from ._matrix import row_slices
from ._storage import in_memory, read_block

_SAMPLED_ROWS = 1_000
_SAMPLED_RUNS = 10
_LARGEST_LOG_VALUE = np.log1p(1e6)


def values_of(matrix: Matrix) -> npt.NDArray[Any]:
    """Return the stored values of a block: all of a dense one, the non-zeros of a sparse one."""
    return matrix.data if sparse.issparse(matrix) else np.asarray(matrix).ravel()


def check_counts(matrix: Matrix, where: str) -> None:
    """Refuse values that are not raw counts.

    Raises
    ------
    ValueError
        If sampled values are negative, NaN, infinite or not whole.
    """
    values = _sample(matrix, where)
    if (values < 0).any() or (values % 1 != 0).any():
        raise ValueError(
            f"{where} does not hold raw counts: it has the value "
            f"{values[(values < 0) | (values % 1 != 0)][0]:g}. Data that are log-normalised "
            "already need no further normalisation; else put the counts into X first."
        )


def check_log_normalised(matrix: Matrix, where: str) -> None:
    """Refuse values that are not log1p of library-size-normalised counts.

    Raises
    ------
    ValueError
        If sampled values are raw counts, negative, NaN, infinite or too large for a logarithm.
    """
    values = _sample(matrix, where)
    if (values < 0).any():
        raise ValueError(
            f"{where} has the negative value {values.min():g}, so it looks scaled. txpert wants "
            "log1p of normalised counts: put the counts into X and run tx.pp.normalize(adata)."
        )
    if values.size and (values % 1 == 0).all() and values.max() > 0:
        raise ValueError(
            f"{where} looks like raw counts (whole numbers up to {values.max():g}). Run "
            "tx.pp.normalize(adata) first, or name the layer that is log-normalised by layer=."
        )
    if values.size and values.max() > _LARGEST_LOG_VALUE:
        raise ValueError(
            f"{where} has values up to {values.max():g}, too large for log1p of normalised "
            "counts. Put the counts into X and run tx.pp.normalize(adata)."
        )


def _sample(matrix: Matrix, where: str) -> npt.NDArray[Any]:
    values = np.concatenate([np.asarray(values_of(block)) for block in _sampled_blocks(matrix)])
    if not np.isfinite(values).all():
        raise ValueError(f"{where} has NaN or infinite values; remove those cells or genes first.")
    return values


def _sampled_blocks(matrix: Matrix) -> Iterator[Matrix]:
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
