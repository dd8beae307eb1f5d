"""Warnings about data, said once."""

from __future__ import annotations

import warnings
import weakref

import pandas as pd

# What was said of data, by the id of the names of their cells or genes.
_said: dict[int, set[str]] = {}


def warn_once(message: str, names: pd.Index, stacklevel: int) -> None:
    """Warn, unless the same was said of the same data.

    Parameters
    ----------
    message
        What to say.
    names
        Names of the cells or genes, the object that the annotation has.
    stacklevel
        As in :func:`warnings.warn`, of the caller.
    """
    if id(names) not in _said:
        _said[id(names)] = set()
        weakref.finalize(names, _said.pop, id(names), None)
    if message not in _said[id(names)]:
        warnings.warn(message, UserWarning, stacklevel=stacklevel + 1)
        _said[id(names)].add(message)
