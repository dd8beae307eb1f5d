from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._files import FilePath

if TYPE_CHECKING:
    from ._knowledge_graph import KnowledgeGraph

_FIELDS = {"name", "nodes", "source", "target", "weight"}


def save(graph: KnowledgeGraph, path: FilePath) -> None:
    """Write the graph to one compressed NumPy file, ``.npz`` by custom.

    Names and history are kept; the file holds no pickles.
    """
    # An open file keeps NumPy from adding ".npz" to the name asked for.
    with Path(path).open("wb") as file:
        np.savez_compressed(file, **graph.to_dict())


def load(path: FilePath) -> Mapping[str, Any]:
    """Read the arrays that :func:`save` wrote."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        with np.load(path, allow_pickle=False) as file:
            state = dict(file)
    except (ValueError, OSError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is not a graph written by KnowledgeGraph.save: {error}."
        ) from error
    missing = sorted(_FIELDS - set(state))
    if missing:
        raise ValueError(f"{path} is not a graph: it lacks {', '.join(missing)}.")
    return state
