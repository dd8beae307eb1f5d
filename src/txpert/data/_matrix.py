"""Reading rows of an expression matrix, in memory or on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from anndata import AnnData
from scipy import sparse
from tqdm.auto import tqdm

Matrix = Any
"""``ndarray``, scipy CSR/CSC, ``h5py.Dataset`` or anndata's sparse dataset on disk."""

_SAMPLED_ROWS = 1_000
_LARGEST_LOG_VALUE = np.log1p(1e6)


def expression_matrix(adata: AnnData, layer: str | None) -> Matrix:
    """Return ``X`` or a layer.

    Raises
    ------
    KeyError
        If the layer does not exist.
    ValueError
        If there is no ``X``.
    """
    if layer is not None and layer not in adata.layers:
        raise KeyError(
            f"There is no layer {layer!r}; layers: {', '.join(adata.layers) or 'none'}."
        )
    matrix = adata.X if layer is None else adata.layers[layer]
    if matrix is None:
        raise ValueError("The AnnData has no expression matrix X; name a layer by layer=.")
    return matrix


def iter_chunks(matrix: Matrix, n_rows: int = 4_096) -> Iterator[tuple[slice, Matrix]]:
    """Yield consecutive blocks of rows, reading each from disk once."""
    if sparse.issparse(matrix) and matrix.format != "csr":
        matrix = matrix.tocsr()
    for start in range(0, matrix.shape[0], n_rows):
        rows = slice(start, min(start + n_rows, matrix.shape[0]))
        yield rows, matrix[rows]


def read_rows(matrix: Matrix, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """Return the rows asked for, dense, in the order asked for, repeats included.

    Files on disk want rising, unique indices, so those are read and put back into order.
    """
    unique, inverse = np.unique(rows, return_inverse=True)
    block = matrix[unique]
    if sparse.issparse(block):
        block = block.toarray()
    return np.asarray(block, dtype=np.float32)[inverse]


def group_sums(
    matrix: Matrix, group: npt.NDArray[np.integer], n_groups: int
) -> npt.NDArray[np.float64]:
    """Sum the rows of each group; one pass, memory bounded by a chunk and the result.

    Parameters
    ----------
    matrix
        Rows, in memory or on disk, ``(n, n_genes)``.
    group
        Group of each row, ``(n,)``, or its groups where it is in several, ``(n, n_per_row)``;
        −1 is none.
    n_groups
        Number of groups.

    Returns
    -------
    Sums, shape ``(n_groups, n_genes)``.
    """
    sums = np.zeros((n_groups, matrix.shape[1]))
    chunks = iter_chunks(matrix)
    for rows, block in tqdm(
        chunks, desc="Averaging cells", unit="chunk", disable=matrix.shape[0] < 200_000
    ):
        groups = group[rows].reshape(block.shape[0], -1)
        member = groups >= 0
        present, position = np.unique(groups[member], return_inverse=True)
        indicator = sparse.csr_matrix(
            (np.ones(len(position)), (position, np.nonzero(member)[0])),
            shape=(len(present), len(groups)),
        )
        total = indicator @ block
        sums[present] += total.toarray() if sparse.issparse(total) else total
    return sums


def row_digests(matrix: Matrix) -> npt.NDArray[np.uint64]:
    """Return a number per row that equal rows share and, but for chance, no others.

    The digest is of 64 bits; rows of zeros only have the digest 0. One pass, memory bounded by a
    chunk.
    """
    digests = np.zeros(matrix.shape[0], dtype=np.uint64)
    chunks = iter_chunks(matrix)
    for rows, block in tqdm(
        chunks, desc="Comparing cells", unit="chunk", disable=matrix.shape[0] < 200_000
    ):
        digests[rows] = [
            int.from_bytes(hashlib.blake2b(row, digest_size=8).digest()) if row else 0
            for row in _row_bytes(block)
        ]
    return digests


def _row_bytes(block: Matrix) -> Iterator[bytes]:
    """Yield columns and values of each row's non-zeros."""
    csr = sparse.csr_matrix(block, copy=True)
    csr.sum_duplicates()
    csr.eliminate_zeros()
    columns, values = csr.indices.astype(np.int64), csr.data.astype(np.float64)
    for start, end in zip(csr.indptr, csr.indptr[1:], strict=False):
        yield columns[start:end].tobytes() + values[start:end].tobytes()


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
    n_rows = matrix.shape[0]
    rows = np.unique(np.linspace(0, n_rows - 1, min(n_rows, _SAMPLED_ROWS)).astype(int))
    values = values_of(matrix[rows])
    if not np.isfinite(values).all():
        raise ValueError(f"{where} has NaN or infinite values; remove those cells or genes first.")
    return values


def weighted_group_means(
    values: npt.NDArray[np.float32],
    group: npt.NDArray[np.integer],
    weight: npt.NDArray[np.number],
) -> npt.NDArray[np.float32]:
    """Average the rows of each group by their weights.

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
    Means, shape ``(n_groups, n_genes)``.
    """
    total = np.bincount(group, weights=weight)
    entries = weight / total[group], (group, np.arange(len(group)))
    share = sparse.csr_matrix(entries, shape=(len(total), len(group)))
    return (share @ values).astype(np.float32)
