"""Reading rows of an expression matrix, in memory or on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from anndata import AnnData
from scipy import sparse
from tqdm.auto import tqdm

from txpert._layers import named_layers
from txpert._types import FloatArray, IntArray, Matrix

from ._formats import plain_block, plain_matrix
from ._storage import check_complete, is_dask, read_block

SHOW_PROGRESS = 200_000
"""Rows from which a pass over the cells has a progress bar."""


def expression_matrix(adata: AnnData, layer: str | None) -> Matrix:
    """Return ``X`` or a layer, a matrix in memory brought to a plain format.

    Raises
    ------
    KeyError
        If the layer does not exist.
    ValueError
        If there is no ``X``, or its values are no real numbers.
    """
    if layer is not None and layer not in adata.layers:
        raise KeyError(
            f"There is no layer {layer!r}; layers: {', '.join(named_layers(adata)) or 'none'}."
        )
    matrix = adata.X if layer is None else adata.layers[layer]
    if matrix is None:
        raise ValueError("The AnnData has no expression matrix X; name a layer by layer=.")
    return plain_matrix(matrix, place(layer))


def place(layer: str | None) -> str:
    """Return how messages call ``X`` or a layer."""
    return "adata.X" if layer is None else f"adata.layers[{layer!r}]"


def iter_chunks(matrix: Matrix, n_rows: int = 4_096) -> Iterator[tuple[slice, Matrix]]:
    """Yield consecutive blocks of rows, reading each from disk once; a dask array's as they are.

    Raises
    ------
    OSError
        If a file ends early or is damaged; the message names the file and the rows.
    """
    if sparse.issparse(matrix) and matrix.format != "csr":
        matrix = matrix.tocsr()
    check_complete(matrix)
    for rows in row_slices(matrix, n_rows):
        yield rows, read_block(matrix, rows)


def row_slices(matrix: Matrix, n_rows: int) -> Iterator[slice]:
    """Yield slices that cover the rows, ``n_rows`` at a time or as a dask array is cut."""
    n = matrix.shape[0]
    sizes = matrix.chunks[0] if is_dask(matrix) else [n_rows] * -(-n // n_rows)
    start = 0
    for size in sizes:
        yield slice(start, min(start + size, n))
        start += size


def read_rows(matrix: Matrix, rows: IntArray) -> FloatArray:
    """Return the rows asked for, dense, in the order asked for, repeats included.

    Files on disk want rising, unique indices, so those are read and put back into order.
    """
    unique, inverse = np.unique(rows, return_inverse=True)
    block = matrix[unique]
    if sparse.issparse(block):
        block = block.toarray()
    return np.asarray(block, dtype=np.float32)[inverse]


def read_cells_of(matrix: Matrix, chosen: IntArray) -> sparse.csr_matrix:
    """Return some rows as CSR, in rising order of position, wherever they are kept."""
    block = matrix[chosen].compute() if is_dask(matrix) else matrix[chosen]
    return sparse.csr_matrix(plain_block(block))


def row_digests(matrix: Matrix) -> npt.NDArray[np.uint64]:
    """Return a number per row that equal rows share and, but for chance, no others.

    The digest is of 64 bits; rows of zeros only have the digest 0. One pass, memory bounded by a
    chunk.
    """
    digests = np.zeros(matrix.shape[0], dtype=np.uint64)
    chunks = iter_chunks(matrix)
    for rows, block in tqdm(
        chunks, desc="Comparing cells", unit="chunk", disable=matrix.shape[0] < SHOW_PROGRESS
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
