"""Arrays, tables and annotated data, in parts that are hashed one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from txpert._layers import named_layers

from ._parts import Raw, module_of

_BYTES = 2**24
_ROWS = 4_096
_ON_DISK = ("h5py", "zarr", "anndata")
_ANNDATA = ("obs", "var", "X", "layers", "obsm", "varm", "obsp", "varp", "uns")


def parts_of_data(value: Any) -> Iterator[Any] | None:
    """Return what arrays, tables, tensors and annotated data are made of; ``None`` of others."""
    if isinstance(value, np.ma.MaskedArray):
        return iter([value.data, np.ma.getmaskarray(value)])
    if isinstance(value, np.ndarray):
        return _of_array(value)
    if sparse.issparse(value):
        return _of_sparse(value)
    if isinstance(value, pd.DataFrame):
        columns = (value.iloc[:, place].array for place in range(value.shape[1]))
        return iter([value.columns, value.index, list(columns)])
    if isinstance(value, pd.Series):
        return iter([value.name, value.index, value.array])
    if isinstance(value, pd.Index):
        return _of_index(value)
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return _of_column(value)
    if isinstance(value, AnnData):
        return _of_anndata(value)
    if _is_tensor(value):
        return _of_tensor(value)
    if hasattr(value, "__dask_graph__") and hasattr(value, "chunks"):
        return _of_dask(value)
    module = module_of(type(value)).partition(".")[0]
    if module in _ON_DISK and hasattr(value, "shape") and hasattr(value, "dtype"):
        return _of_disk(value)
    return None


def kind_of(value: Any) -> type:
    """Return the type of data; that of a view of AnnData is the type of what it views."""
    kinds = type(value).__mro__
    return next(kind for kind in kinds if module_of(kind) != "anndata._core.views")


def _of_array(value: np.ndarray[Any, Any]) -> Iterator[Any]:
    yield Raw(f"{value.dtype} {value.dtype.str} {value.shape}".encode())
    if value.dtype.hasobject:
        yield from _of_items(value.ravel().tolist())
        return
    if not value.ndim:
        yield Raw(value.tobytes())
        return
    step = max(1, _BYTES * len(value) // max(1, value.nbytes))
    for start in range(0, len(value), step):
        yield Raw(np.ascontiguousarray(value[start : start + step]).tobytes())


def _of_items(items: list[Any]) -> Iterator[Any]:
    if not all(type(item) is str for item in items):
        yield from items
        return
    # Names of many cells, quickly.
    yield np.fromiter(map(len, items), dtype=np.int64, count=len(items))
    yield Raw("".join(items).encode(errors="surrogatepass"))


def _of_sparse(value: Any) -> Iterator[Any]:
    yield Raw(f"{value.format} {value.shape}".encode())
    if value.format in ("csr", "csc"):
        yield from (value.indptr, value.indices, value.data)
    else:
        entries = value.tocoo()
        yield from (entries.row, entries.col, entries.data)


def _of_index(value: pd.Index) -> Iterator[Any]:
    yield list(value.names)
    if isinstance(value, pd.MultiIndex):
        yield from (value.get_level_values(level).array for level in range(value.nlevels))
    else:
        yield value.array


def _of_column(value: Any) -> Iterator[Any]:
    if isinstance(value, pd.Categorical):
        yield from (value.codes, value.categories, value.ordered)
        return
    yield str(value.dtype)
    yield value.to_numpy() if isinstance(value.dtype, np.dtype) else value.astype(object)


def _of_anndata(value: AnnData) -> Iterator[Any]:
    for name in _ANNDATA:
        if name == "layers":
            yield named_layers(value)
            continue
        part = getattr(value, name)
        yield part if name in ("obs", "var", "X") else dict(part)
    if value.raw is not None:
        yield from (value.raw.X, value.raw.var)


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "untyped_storage") and hasattr(value, "detach")


def _of_tensor(value: Any) -> Iterator[Any]:
    yield Raw(f"{value.dtype} {tuple(value.shape)} {value.layout}".encode())
    value = value.detach().cpu()
    if value.is_sparse:
        value = value.coalesce()
        yield from (value.indices(), value.values())
        return
    import torch

    # Seen as bytes, since NumPy does not know all of torch's types.
    yield value.to_dense().contiguous().reshape(-1).view(torch.uint8).numpy()


def _of_dask(value: Any) -> Iterator[Any]:
    yield Raw(f"{value.dtype} {value.shape}".encode())
    start = 0
    for size in value.chunks[0]:
        yield value[start : start + size].compute()
        start += size


def _of_disk(value: Any) -> Iterator[Any]:
    yield Raw(f"{value.dtype} {tuple(value.shape)}".encode())
    if not value.shape:
        yield value[()]
    elif getattr(value, "format", "") == "csc":
        yield value.to_memory()
    else:
        for start in range(0, value.shape[0], _ROWS):
            yield value[start : start + _ROWS]
