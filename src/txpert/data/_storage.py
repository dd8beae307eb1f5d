"""Where the rows of a matrix are kept, and what is said if they cannot be read from there."""

from __future__ import annotations

from typing import Any

from scipy import sparse

from ._formats import UnusableValuesError, plain_block

REPEATED = (
    "a gene occurs twice in a cell, as where parts are missing; if both values are meant, run "
    "adata.X.sum_duplicates() before writing"
)
_DAMAGED = "The file is incomplete or damaged: write or copy it again. Nothing was changed."


def is_dask(matrix: Any) -> bool:
    """Whether a matrix is a dask array."""
    return hasattr(matrix, "__dask_graph__")


def in_memory(matrix: Any) -> bool:
    """Whether rows are read without touching a disk."""
    return sparse.issparse(matrix) or type(matrix).__module__.startswith("numpy")


def refuse_dask(matrix: Any, wanted: str) -> None:
    """Refuse what reads single rows in any order, for which a dask array is far too slow.

    Raises
    ------
    ValueError
        If the matrix is a dask array.
    """
    if is_dask(matrix):
        raise ValueError(
            f"{wanted} reads single cells in random order, which a dask array cannot do in "
            "reasonable time. Train on pseudobulk (unit='pseudobulk', the default), which reads "
            "the cells in one pass, or open the file by anndata.read_h5ad(path, backed='r')."
        )


def read_block(matrix: Any, rows: slice) -> Any:
    """Return some rows, in memory.

    Raises
    ------
    OSError
        If they cannot be read; the message names the file and the rows.
    """
    if in_memory(matrix):
        return plain_block(matrix[rows])
    try:
        block = matrix[rows]
        block = block.compute() if is_dask(matrix) else block
    except UnusableValuesError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, IndexError) as error:
        raise unreadable(matrix, rows, str(error)) from error
    if has_repeated_entries(block):
        raise unreadable(matrix, rows, REPEATED)
    return plain_block(block)


def has_repeated_entries(block: Any) -> bool:
    """Whether a sparse block has two values at one place, as missing parts of a file make it."""
    if not sparse.issparse(block) or block.has_canonical_format:
        return False
    unique = block.copy()
    unique.sum_duplicates()
    return bool(unique.nnz < block.nnz)


def check_complete(matrix: Any) -> None:
    """Refuse a zarr store that lacks chunks: they would be read as zeros.

    Raises
    ------
    OSError
        If chunks of a sparse matrix are missing.
    """
    matrix = getattr(matrix, "counts", matrix)
    values: Any = getattr(getattr(matrix, "group", None), "get", lambda _: None)("data")
    if not hasattr(values, "nchunks_initialized"):
        return
    stored, expected = int(values.nchunks_initialized), int(values.nchunks)
    if stored < expected:
        chunks = f"{stored:,} of the {expected:,} chunks of its values"
        raise OSError(f"{file_of(matrix)} has {chunks}. {_DAMAGED}")


def unreadable(matrix: Any, rows: slice, reason: str) -> OSError:
    """Return the error that names file and rows."""
    where = f"Rows {rows.start:,} to {rows.stop - 1:,} of {file_of(matrix)}"
    return OSError(f"{where} cannot be read ({reason}). {_DAMAGED}")


def file_of(matrix: Any) -> str:
    """Name the file or store that a matrix is in."""
    matrix = getattr(matrix, "counts", matrix)
    node = getattr(matrix, "group", matrix)
    if hasattr(node, "file"):
        return str(node.file.filename)
    return str(getattr(node, "store_path", "the matrix"))
