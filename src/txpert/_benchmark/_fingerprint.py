"""Short hashes of data and models, by which stored results are known again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import partial
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData


def fingerprint(*values: Any) -> str:
    """Return a hash of plain values, arrays, tables, graphs and functions.

    It is the same in another session. A function counts by its name and code, an object of
    another kind by its attributes.
    """
    digest = hashlib.sha256()
    for value in values:
        _add(digest, value, depth=0)
    return digest.hexdigest()


def _add(digest: Any, value: Any, depth: int) -> None:
    digest.update(f"<{type(value).__name__}>".encode())
    if depth > 8:
        return
    if isinstance(value, np.ndarray) and value.dtype != object:
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
        return
    for part in _parts(value):
        if isinstance(part, bytes):
            digest.update(part)
        else:
            _add(digest, part, depth + 1)


def _parts(value: Any) -> list[Any]:
    """Return what an object is made of; bytes are final."""
    if value is None or isinstance(value, str | int | float | bool | bytes | np.generic):
        return [repr(value).encode()]
    if isinstance(value, os.PathLike):
        return [os.fspath(value)]
    if isinstance(value, Mapping):
        return [part for key in sorted(value, key=str) for part in (str(key), value[key])]
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, np.ndarray | pd.Index):
        return [str(item).encode() + b"\0" for item in np.ravel(value)]
    if isinstance(value, pd.DataFrame | pd.Series):
        return [pd.util.hash_pandas_object(value).to_numpy(), *_columns(value)]
    if isinstance(value, AnnData):
        return [value.obs, value.var_names, value.X, *value.layers.values()]
    if isinstance(value, partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return [value.__qualname__, value.__code__, value.__defaults__, cells]
    if isinstance(value, CodeType):
        return [value.co_code, list(value.co_names), list(value.co_consts)]
    if callable(getattr(value, "to_dict", None)):
        return [value.to_dict()]
    if isinstance(value, type):
        return [value.__qualname__]
    return [type(value).__qualname__, getattr(value, "__dict__", None)]


def _columns(value: pd.DataFrame | pd.Series) -> list[str]:
    return [str(name) for name in value.columns] if isinstance(value, pd.DataFrame) else []
