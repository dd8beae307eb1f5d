"""Writing a published screen in the columns that this package reads, block by block."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
from scipy import sparse
from tqdm.auto import tqdm

from txpert._files import replacing
from txpert._types import BoolArray, Matrix
from txpert.data._matrix import iter_chunks
from txpert.data._values import ValueCheck

from ._layout import Layout

logger = logging.getLogger("txpert")

FORMAT = 1
"""Version of the files written; another one is converted again."""
_HDF5 = b"\x89HDF\r\n\x1a\n"


def check_h5ad(path: Path, name: str) -> None:
    """Refuse what is no HDF5 file, such as a web page that a server sent in its place.

    Raises
    ------
    ValueError
        If it is none.
    """
    with path.open("rb") as file:
        start = file.read(80)
    if not start.startswith(_HDF5):
        text = " ".join(start.decode(errors="replace").split())
        raise ValueError(
            f"{name} is no h5ad file; it starts with {text!r}. If it is a web page or a server's "
            "message, open the address in a browser to see what it asks for."
        )


def convert(source: Path, target: Path, layout: Layout, about: dict[str, str]) -> None:
    """Write a published file in our columns: obs by its layout, values as CSR in ``X``.

    Reads a block of cells at a time, so that memory does not grow with their number; only a
    matrix that is compressed by genes (CSC) is read whole. The file is written whole or not at
    all.

    Parameters
    ----------
    source, target
        The file as published, and the one to write.
    layout
        What its columns and labels mean.
    about
        Goes into ``uns["screen"]``.

    Raises
    ------
    KeyError, ValueError
        If the file is not as the layout says, in its values as in its columns.
    OSError
        If it cannot be read or written.
    """
    published = ad.read_h5ad(source, backed="r")
    try:
        obs, kept = layout.obs(published.obs, str(source))
        n_left_out = int((~kept).sum())
        if n_left_out:
            logger.info("%s: %d cells without a usable label left out.", source, n_left_out)
        screen = ad.AnnData(obs=obs, var=published.var.copy())
        screen.uns["screen"] = {**about, "n_cells_left_out": n_left_out}
        screen.var_names_make_unique()
        with replacing(target) as part:
            screen.write_h5ad(part)
            check = ValueCheck(f"X of {source}", published.obs_names, counts=layout.counts)
            _write_values(part, _values(published, kept, check))
    finally:
        published.file.close()


def _values(
    published: ad.AnnData, kept: BoolArray, check: ValueCheck
) -> Iterator[sparse.csr_matrix]:
    """Yield the values of the cells kept, a block at a time, and judge them."""
    matrix: Any = published.X
    if getattr(matrix, "format", "csr") == "csc":
        matrix = matrix.to_memory()
    with tqdm(total=len(kept), desc="converting", unit="cell", unit_scale=True) as progress:
        for rows, block in iter_chunks(matrix):
            check.add(rows, check.judge(block))
            check.refuse()
            yield _csr(block[kept[rows]])
            progress.update(block.shape[0])


def _csr(block: Matrix) -> sparse.csr_matrix:
    values = sparse.csr_matrix(block, dtype=np.float32)
    # Large screens have more than 2³¹ values.
    values.indptr = values.indptr.astype(np.int64)
    return values


def _write_values(path: Path, blocks: Iterator[sparse.csr_matrix]) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        if "X" in file:
            del file["X"]
        options = {"compression": "gzip", "compression_opts": 1}
        ad.io.write_elem(file, "X", next(blocks), dataset_kwargs=options)
        written: Any = ad.io.sparse_dataset(file["X"])
        for block in blocks:
            written.append(block)
