"""Hashing values of any kind, part by part.

``joblib.hash`` gives two tensors of the same values two hashes, and fails for a lambda.
"""

from __future__ import annotations

import copyreg
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from txpert._files import file_sha256

from ._code import parts_of_code, release
from ._data import kind_of, parts_of_data
from ._parts import NotHashable, Raw, Unordered, module_of

_PLAIN = {type(None), bool, int, float, complex, bytes, type(...), type(NotImplemented)}


def fingerprint(*values: Any) -> str:
    """Return a hash of everything that values hold, the same in another session.

    Arrays, tables, AnnData, tensors and graphs count by their content, paths by their files too,
    functions by their code, defaults, closure and the globals that they read, and other objects
    by their class and state, or by what their ``to_dict`` returns. What comes from an installed
    package counts by its name and version. The order of dictionaries and sets does not count.

    Raises
    ------
    NotHashable
        If something is reached whose content cannot be told; the message names it.
    """
    try:
        return _Hasher().of(values).hex()
    except RecursionError as error:
        raise NotHashable("values nested too deeply") from error


class _Hasher:
    """Hashes values, objects and functions once each."""

    def __init__(self) -> None:
        self._open: dict[int, int] = {}
        # Objects are kept, so that no other gets the id of one.
        self._done: dict[int, tuple[Any, bytes]] = {}

    def of(self, value: Any) -> bytes:
        """Return the hash of a value and of its type."""
        if isinstance(value, Raw):
            return hashlib.sha256(value).digest()
        key = id(value)
        if key in self._done:
            return self._done[key][1]
        if key in self._open:
            return hashlib.sha256(f"outer value {self._open[key]}".encode()).digest()
        self._open[key] = len(self._open)
        try:
            parts, is_kept = _parts(value)
            digest = self._joined(kind_of(value), parts)
        finally:
            del self._open[key]
        if is_kept:
            self._done[key] = value, digest
        return digest

    def _joined(self, kind: type, parts: Iterable[Any]) -> bytes:
        whole = hashlib.sha256(f"{module_of(kind)}.{kind.__qualname__}".encode())
        digests = map(self.of, parts)
        for digest in sorted(digests) if kind is Unordered else digests:
            whole.update(digest)
        return whole.digest()


def _parts(value: Any) -> tuple[Iterable[Any], bool]:
    """Return what a value is made of, and whether it is an object that may be met again."""
    simple = _of_simple(value)
    if simple is not None:
        return simple, False
    data = parts_of_data(value)
    if data is not None:
        return data, False
    return parts_of_code(value) or _of_object(value), True


def _of_simple(value: Any) -> Iterable[Any] | None:
    kind = type(value)
    if kind in _PLAIN:
        return [Raw(repr(value).encode())]
    if kind is str:
        return _of_text(value)
    if isinstance(value, os.PathLike):
        return _of_path(Path(value))
    if isinstance(value, np.generic) and not value.dtype.hasobject:
        return [Raw(str(value.dtype).encode()), Raw(value.tobytes())]
    if kind in (dict, MappingProxyType):
        return [Unordered(value.items())]
    if kind in (set, frozenset):
        return [Unordered(value)]
    if kind in (list, tuple, Unordered):
        return value
    return None


def _of_text(value: str) -> Iterator[Any]:
    yield Raw(value.encode(errors="surrogatepass"))
    # Options that name a file mean what is in it.
    if 0 < len(value) < 4_096 and os.path.isfile(value):
        yield Raw(file_sha256(value).encode())


def _of_path(path: Path) -> Iterator[Any]:
    yield str(path)
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            yield str(file.relative_to(path))
            yield str(file)


def _of_object(value: Any) -> Iterator[Any]:
    """Take an object apart as pickle does, unless it says itself what it is made of."""
    yield type(value)
    if callable(getattr(value, "to_dict", None)):
        yield value.to_dict()
        return
    try:
        reduce = copyreg.dispatch_table.get(type(value))
        state = reduce(value) if reduce else value.__reduce_ex__(4)
    except Exception as error:
        raise NotHashable(f"a {type(value).__name__}") from error
    if isinstance(state, str):
        yield from _of_name(value, state)
        return
    made_by, arguments, *rest = state
    yield from (made_by, arguments)
    attributes, items, pairs = (*rest, None, None, None)[:3]
    yield from (attributes, list(items or ()), Unordered(pairs or ()))


def _of_name(value: Any, name: str) -> Iterator[Any]:
    """Name what a module holds under its own name, such as a NumPy function."""
    module = module_of(value) or module_of(type(value))
    for where in (module, "numpy", "scipy.special"):
        if getattr(sys.modules.get(where), name, None) is value:
            yield from (where, name, release(where))
            return
    raise NotHashable(f"the {type(value).__name__} {name}")
