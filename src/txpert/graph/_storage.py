"""Graphs as plain arrays, and in files of their own: NumPy archives that hold no pickles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from txpert._files import FilePath, replacing, sha256_of
from txpert._options import check_path
from txpert._stored import check_format, not_readable

from ._arrays import EdgeArrays, freeze

_FIELDS = {"name", "nodes", "source", "target", "weight"}
_VERSION = 1
_WHAT = "a graph written by KnowledgeGraph.save"
Built = TypeVar("Built")


def to_fields(
    name: str,
    nodes: pd.Index,
    edges: EdgeArrays,
    provenance: Iterable[str],
    learned_from: Iterable[str],
) -> dict[str, Any]:
    """Return a graph as a dictionary of a string and plain arrays."""
    return {
        "name": name,
        "nodes": nodes.to_numpy(dtype=str),
        **edges._asdict(),
        "provenance": np.array(provenance, dtype=str),
        "learned_from": np.array(learned_from, dtype=str),
    }


def from_fields(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that make the graph again that :func:`to_fields` took apart.

    Raises
    ------
    KeyError
        If a part of the graph is missing.
    TypeError
        If it is no dictionary.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"state is what to_dict returned, a dictionary, not {state!r}.")
    missing = sorted(_FIELDS - set(state))
    if missing:
        raise KeyError(
            f"The dictionary of a graph lacks {', '.join(missing)}; pass what to_dict returned."
        )
    return {
        "name": str(state["name"]),
        "nodes": [str(node) for node in state["nodes"]],
        **{end: state[end] for end in EdgeArrays._fields},
        "provenance": state.get("provenance", ()),
        "learned_from": state.get("learned_from", ()),
    }


def save_fields(fields: Mapping[str, Any], path: FilePath) -> None:
    """Write the fields of a graph to one compressed NumPy file, ``.npz`` by custom.

    Names and history are kept; the file holds no pickles. An older file is replaced once the new
    one is complete.

    Raises
    ------
    OSError
        If the file cannot be written; what was there before is unchanged.
    """
    check_path("path", path)
    state: dict[str, Any] = {name: np.asarray(part) for name, part in fields.items()}
    # An open file keeps NumPy from adding ".npz" to the name asked for.
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, format=_VERSION, sha256=_digest(state), **state)


def load_fields(path: FilePath, build: Callable[[Mapping[str, Any]], Built]) -> Built:
    """Build a graph from the arrays that :func:`save_fields` wrote.

    Parameters
    ----------
    path
        The file.
    build
        Makes the graph of its fields.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, holds something else or is of a later format; the message names it.
    """
    check_path("path", path)
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    state = _arrays(path)
    missing = sorted(_FIELDS - set(state))
    if missing:
        raise ValueError(f"{path} is not a graph: it lacks {', '.join(missing)}.")
    version, digest = state.pop("format", None), state.pop("sha256", None)
    if version is not None:
        check_format(path, version.tolist(), _VERSION)
        if str(digest) != _digest(state):
            raise not_readable(path, _WHAT, "its content does not match its digest")
    for name in ("source", "target"):
        if state[name].dtype.kind not in "iu":
            raise not_readable(path, _WHAT, f"{name} holds {state[name].dtype}, not positions")
    try:
        return build(state)
    except (ValueError, TypeError, OverflowError) as error:
        raise not_readable(path, _WHAT, error) from error


def _arrays(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                state = dict(archive)
        # A damaged archive fails in zipfile, zlib, struct, NumPy or for want of memory.
        except Exception as error:
            raise not_readable(path, _WHAT, f"{type(error).__name__}: {error}") from error
    freeze(*state.values())
    return state


def _digest(state: Mapping[str, Any]) -> str:
    parts = []
    for name in sorted(state):
        value = state[name]
        parts += [f"{name} {value.dtype.str} {value.shape}\n".encode(), value.tobytes()]
    return sha256_of(b"".join(parts))
