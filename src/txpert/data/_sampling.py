"""Rows spread over a matrix, to look at instead of all of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from txpert._types import IntArray, Matrix

from ._matrix import row_slices
from ._storage import in_memory, read_block

Sample = tuple[IntArray, Matrix]
"""Positions of some rows, ``(n,)``, and these rows in memory, ``(n, n_genes)``."""
_ROWS = 1_000
_RUNS = 10


def sampled_blocks(matrix: Matrix, n_rows: int = _ROWS) -> Iterator[Sample]:
    """Yield rows spread over the matrix: single ones, or, from disk, a few runs of them."""
    n = matrix.shape[0]
    if in_memory(matrix):
        rows = np.unique(np.linspace(0, n - 1, min(n, n_rows)).astype(int))
        yield rows, matrix[rows]
        return
    length = n_rows // _RUNS
    runs = list(row_slices(matrix, length))
    for run in np.unique(np.linspace(0, len(runs) - 1, min(len(runs), _RUNS)).astype(int)):
        first = runs[run].start
        last = min(runs[run].stop, first + length)
        yield np.arange(first, last), read_block(matrix, slice(first, last))


def rows_of_groups(group: IntArray, n_per_group: int) -> IntArray:
    """Return rising positions of rows spread over each group, at most so many of each.

    Parameters
    ----------
    group
        Group of each row, ``(n,)``.
    n_per_group
        How many of each at most.
    """
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group))
    starts = np.concatenate([[0], ends[:-1]])
    chosen = [
        order[np.linspace(start, end - 1, min(end - start, n_per_group)).astype(int)]
        for start, end in zip(starts, ends, strict=True)
        if end > start
    ]
    return np.unique(np.concatenate(chosen))
