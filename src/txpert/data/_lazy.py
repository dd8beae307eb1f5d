"""Opening a file of cells × genes without reading its expression."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._layers import named_layers
from txpert._types import Matrix

from ._formats import UnusableValuesError
from ._matrix import place
from ._row_faults import values_of
from ._sampling import sampled_blocks
from ._scale import counts_per_cell, one_sum

SIGNED, COUNTS, LOG = "effects or scaled values", "raw counts", "log-normalized expression"
_FEWEST_ROWS, _BLOCK = 1_000, 20_000_000
"""Fewest rows, and entries with zeros, of a sparse block: 16 MB with a tenth of them."""


def open_lazily(path: Path) -> AnnData:
    """Open an h5ad or zarr file; ``obs``, ``var`` and ``varm`` are in memory, the rest is not.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ImportError
        If dask or xarray is not installed.
    ValueError
        If it is no such file or damaged, has no ``X``, or a gene or cell occurs twice.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        lazy = ad.experimental.read_lazy(path)
        obs, var = lazy.obs.to_memory(), pd.DataFrame(index=lazy.var_names)
        varm = {name: value.to_memory() for name, value in _frames(lazy).items()}
    except ImportError as error:
        raise ImportError(
            f"Opening files lazily takes dask and xarray ({error}). Install them by "
            'pip install "txpert[dask]".'
        ) from error
    # What a damaged or foreign file fails with depends on where it is damaged.
    except Exception as error:
        raise ValueError(
            f"{path} is no h5ad or zarr file of anndata, or is cut off or damaged ({error})."
        ) from error
    if lazy.X is None:
        raise ValueError(f"{path} has no expression matrix X.")
    for what, names in (("var", lazy.var_names), ("obs", lazy.obs_names)):
        if not names.is_unique:
            raise ValueError(
                f"{path}: the {what} name {names[names.duplicated()][0]!r} occurs more than once. "
                f"Run adata.{what}_names_make_unique() before writing it."
            )
    matrices = {"X": lazy.X, **{f"layers/{name}": m for name, m in named_layers(lazy).items()}}
    matrices = _in_large_blocks(path, matrices)
    layers = {name.removeprefix("layers/"): m for name, m in matrices.items() if name != "X"}
    return AnnData(matrices["X"], obs, var, layers=layers, varm=varm)


def _in_large_blocks(path: Path, matrices: dict[str, Any]) -> dict[str, Any]:
    """Cut CSR matrices into larger blocks of rows than anndata does.

    The pass over the cells opens the file for every block, and sends the sums of its conditions:
    with more cells in it there are fewer of both.
    """
    found = dict(matrices)
    with _root(path) as root:
        for name, matrix in matrices.items():
            if root[name].attrs.get("encoding-type") == "csr_matrix":
                rows = max(_FEWEST_ROWS, _BLOCK // matrix.shape[1])
                chunks = min(rows, matrix.shape[0]), matrix.shape[1]
                found[name] = ad.experimental.read_elem_lazy(root[name], chunks=chunks)
    return found


@contextmanager
def _root(path: Path) -> Iterator[Any]:
    if path.is_dir():
        import zarr

        yield zarr.open_group(path, mode="r")
        return
    with h5py.File(path, "r") as file:
        yield file


def _frames(lazy: AnnData) -> dict[str, Any]:
    return {name: value for name, value in lazy.varm.items() if hasattr(value, "to_memory")}


def scale_of(matrix: Matrix, layer: str | None) -> tuple[str, float]:
    """Say what sampled values look like, and what cells were normalized to (NaN if that varies).

    Raises
    ------
    UnusableValuesError
        If there are no values other than 0.
    """
    blocks = [block for _, block in sampled_blocks(matrix)]
    values = np.concatenate([np.asarray(values_of(block)) for block in blocks])
    values = values[np.isfinite(values) & (values != 0)]
    if not len(values):
        raise UnusableValuesError(f"{place(layer)} has no values other than 0 where looked at.")
    if values.min() < 0:
        return SIGNED, np.nan
    if (values % 1 == 0).all():
        return COUNTS, np.nan
    sums = np.concatenate([counts_per_cell(block) for block in blocks])
    return LOG, one_sum(sums[sums > 0])
