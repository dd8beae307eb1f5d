"""Dictionaries of arrays in compressed files without pickles."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np

from ._files import FilePath

_FIELDS = {"name", "nodes", "source", "target", "weight"}


def write_arrays(state: Mapping[str, Any], path: FilePath) -> None:
    """Write the arrays of a graph to a file; an older one stays whole if that fails."""
    path = Path(path)
    # An open file keeps NumPy from adding ".npz" to the name asked for.
    with NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            np.savez_compressed(file, **state)
            file.close()
            Path(file.name).chmod(_permissions())
            os.replace(file.name, path)
        except BaseException as error:
            file.close()
            Path(file.name).unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise OSError(f"{path} could not be written: {error}.") from error
            raise


def _permissions() -> int:
    """Return those of a new file, which a temporary one does not have."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def read_arrays(path: FilePath) -> dict[str, Any]:
    """Read the arrays that :func:`write_arrays` wrote."""
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
