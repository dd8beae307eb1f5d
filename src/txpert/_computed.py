"""Arrays that take long to compute, kept in the cache folder by what they were computed from."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from txpert._download import cache_folder
from txpert._files import replacing
from txpert._fingerprint import fingerprint

Arrays = Mapping[str, np.ndarray]
FOLDER = "computed"
LIMIT = "TXPERT_CACHE_GB"
"""Environment variable: so many GB are kept at most; 0 keeps nothing."""
_GIGABYTES = 2.0
_VERSION = 1
"""Of the computations: what an earlier version has kept is not read."""


def computed(kind: str, key: str, compute: Callable[[], Arrays]) -> Arrays:
    """Return arrays from the cache folder, else compute and keep them.

    A file carries a digest of its arrays: one that is damaged is computed again and replaced.
    Files are written whole or not at all, so that several processes may compute the same. Those
    used least lately go once there is more than :data:`LIMIT` says. Where nothing can be written
    nothing is kept.

    Parameters
    ----------
    kind
        What they are, in one word.
    key
        The :func:`txpert._fingerprint.fingerprint` of all that they depend on.
    compute
        Computes them.

    Raises
    ------
    ValueError
        If the environment variable is no number of 0 or more.
    """
    limit = _limit()
    if not limit:
        return compute()
    try:
        folder = cache_folder() / FOLDER
        folder.mkdir(exist_ok=True)
    except OSError:
        return compute()
    path = folder / f"{kind}-{key[:32]}.npz"
    found = _read(path)
    if found is None:
        found = compute()
        if sum(array.nbytes for array in found.values()) <= limit:
            _keep(path, found, limit)
    return found


def _limit() -> float:
    """Return the number of bytes that may be kept."""
    given = os.environ.get(LIMIT, str(_GIGABYTES))
    try:
        limit = float(given)
    except ValueError:
        limit = -1
    if not 0 <= limit < np.inf:
        raise ValueError(
            f"The environment variable {LIMIT} is {given!r}; it must be a number of GB, 0 or more."
        )
    return limit * 1e9


def _read(path: Path) -> Arrays | None:
    """Return the arrays of a file, ``None`` if there is none or it is damaged."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        digest = str(arrays.pop("sha256"))
        os.utime(path)  # it was used
    # A damaged archive fails in zipfile, zlib, struct or NumPy; then the arrays are computed.
    except Exception:
        return None
    return arrays if digest == _digest(arrays) else None


def _keep(path: Path, arrays: Arrays, limit: float) -> None:
    """Write arrays, and remove the files used least lately."""
    with contextlib.suppress(OSError):
        with replacing(path) as part, part.open("wb") as file:
            whole: dict[str, Any] = {"sha256": np.array(_digest(arrays)), **arrays}
            np.savez(file, **whole)
        kept = [(other.stat(), other) for other in path.parent.glob("*.npz")]
        left = sum(status.st_size for status, _ in kept)
        for status, other in sorted(kept, key=lambda pair: pair[0].st_mtime):
            if left <= limit:
                return
            other.unlink(missing_ok=True)
            left -= status.st_size


def _digest(arrays: Arrays) -> str:
    return fingerprint(_VERSION, [(name.encode(), arrays[name]) for name in sorted(arrays)])
