"""Sums and means over groups of rows: one pass, by one process or by a dask cluster.

``scanpy.get.aggregate`` takes 0.5 times as long (``benchmarks/libraries.py``), with all cells in
memory and none of them checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from tqdm.auto import tqdm

from txpert._types import FloatArray, IntArray, Matrix

from ._cluster import compute_in_turn
from ._formats import plain_block
from ._matrix import SHOW_PROGRESS, iter_chunks, row_slices
from ._storage import REPEATED, has_repeated_entries, is_dask
from ._values import ValueCheck, row_faults

Partial = tuple[IntArray, Matrix]
_Summed = tuple[slice, Partial, IntArray | None]


def group_sums(
    matrix: Matrix,
    group: IntArray,
    n_groups: int,
    dtype: npt.DTypeLike = np.float64,
    check: ValueCheck | None = None,
) -> npt.NDArray[Any]:
    """Sum the rows of each group; one pass, memory bounded by a chunk and the result.

    Rows of a chunk are added up in float64, whatever the type of the result. A dask array's chunks
    are tasks for the current scheduler: threads, or the workers of a ``distributed.Client``.

    Parameters
    ----------
    matrix
        Rows, in memory, on disk or lazy, ``(n, n_genes)``.
    group
        Group of each row, ``(n,)``, or its groups where it is in several, ``(n, n_per_row)``;
        −1 is none.
    n_groups
        Number of groups.
    dtype
        Type of the result. ``float32`` takes half the memory; means of 100,000 chunks are off by
        less than 1e-5 of their value.
    check
        Collects what is wrong with the rows on the way.

    Returns
    -------
    Sums, shape ``(n_groups, n_genes)``.

    Raises
    ------
    OSError
        If rows cannot be read; the message names the file and the rows.
    """
    sums = np.zeros((n_groups, matrix.shape[1]), dtype=dtype)
    group = group.reshape(len(group), -1)
    partials = _lazy_partials if is_dask(matrix) else _partials
    with tqdm(
        total=matrix.shape[0],
        desc="Averaging cells",
        unit="cell",
        unit_scale=True,
        disable=matrix.shape[0] < SHOW_PROGRESS,
    ) as bar:
        for rows, (present, total), faults in partials(matrix, group, check):
            _add(sums, present, total)
            if check is not None and faults is not None:
                check.add(rows, faults)
            bar.update(rows.stop - rows.start)
    return sums


def _partials(matrix: Matrix, group: IntArray, check: ValueCheck | None) -> Iterator[_Summed]:
    for rows, block in iter_chunks(matrix):
        faults = None if check is None else check.judge(block)
        yield rows, partial_sums(block, group[rows]), faults


def _lazy_partials(matrix: Matrix, group: IntArray, check: ValueCheck | None) -> Iterator[_Summed]:
    """Sum each block of a dask array where it is read; only sums and faults come here."""
    from dask import delayed

    matrix = matrix.rechunk({1: -1})
    rows = list(row_slices(matrix, 0))
    blocks = matrix.to_delayed(optimize_graph=True).ravel()
    task = delayed(_checked_sums)
    options = None if check is None else check.options
    tasks = [task(block, group[part], options) for block, part in zip(blocks, rows, strict=True)]
    for part, (sums, faults) in zip(rows, compute_in_turn(tasks, rows), strict=True):
        yield part, sums, faults


def _checked_sums(
    block: Matrix, groups: IntArray, options: dict[str, bool] | None
) -> tuple[Partial, IntArray | None]:
    """Sum as :func:`partial_sums`; a block that only part of a file was read for is refused."""
    if has_repeated_entries(block):
        raise ValueError(REPEATED)
    block = plain_block(block)
    faults = None if options is None else row_faults(block, **options)
    return partial_sums(block, groups), faults


def partial_sums(block: Matrix, groups: IntArray) -> Partial:
    """Sum the rows of each group that a block has.

    Parameters
    ----------
    block
        Rows in memory, dense or CSR, ``(n, n_genes)``.
    groups
        Groups of each row, ``(n, n_per_row)``; −1 is none.

    Returns
    -------
    The groups, ``(n_present,)``, and their sums, float64 ``(n_present, n_genes)``.
    """
    member = groups >= 0
    present, position = np.unique(groups[member], return_inverse=True)
    indicator = sparse.csr_matrix(
        (np.ones(len(position)), (position, np.nonzero(member)[0])),
        shape=(len(present), len(groups)),
    )
    return present, indicator @ block


def _add(sums: FloatArray, present: IntArray, total: Matrix) -> None:
    """Add a block's sums to those of all groups, in place."""
    if not sparse.issparse(total):
        sums[present] += total
        return
    first = np.repeat(present.astype(np.int64) * sums.shape[1], np.diff(total.indptr))
    sums.reshape(-1)[first + total.indices] += total.data


def weighted_group_means(
    values: FloatArray,
    group: IntArray,
    weight: npt.NDArray[np.number],
) -> FloatArray:
    """Average the rows of each group by their weights; NaN counts as not measured.

    Parameters
    ----------
    values
        Rows, shape ``(n, n_genes)``.
    group
        Group of each row, 0 to ``n_groups - 1``, shape ``(n,)``.
    weight
        Positive weights, shape ``(n,)``.

    Returns
    -------
    Means over what was measured, shape ``(n_groups, n_genes)``; NaN where nothing was.
    """
    total = np.bincount(group, weights=weight)
    # In single precision: with double shares scipy would copy all values to double.
    entries = (weight / total[group]).astype(np.float32), (group, np.arange(len(group)))
    share = sparse.csr_matrix(entries, shape=(len(total), len(group)))
    if not np.isnan(values.sum()):
        return (share @ values).astype(np.float32, copy=False)
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        mean = (share @ np.where(known, values, 0)) / (share @ known.astype(np.float32))
    return mean.astype(np.float32, copy=False)


def filled_by_mean(
    values: FloatArray,
    weight: npt.NDArray[np.number] | None = None,
    otherwise: FloatArray | float = 0.0,
) -> FloatArray:
    """Return rows in which a gene not measured (NaN) has its mean over the other rows.

    Parameters
    ----------
    values
        Rows, shape ``(n, n_genes)``; they come back as they are where nothing is missing.
    weight
        Positive weights of rows in the mean, shape ``(n,)``; by default all count the same.
    otherwise
        Value of genes that no row measured, one for all or ``(n_genes,)``.

    Examples
    --------
    >>> filled_by_mean(np.array([[1.0, np.nan], [np.nan, np.nan], [4.0, np.nan]])).tolist()
    [[1.0, 0.0], [2.5, 0.0], [4.0, 0.0]]
    """
    missing = np.isnan(values)
    if not missing.any():
        return values
    weight = np.ones(len(values)) if weight is None else weight
    mean = weighted_group_means(values, np.zeros(len(values), dtype=np.int64), weight)
    return np.where(missing, np.where(np.isnan(mean), otherwise, mean), values)
