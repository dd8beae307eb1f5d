"""Rows of the registries of encoders and decoders."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Built = TypeVar("Built")


@dataclass(frozen=True)
class Entry(Generic[Built]):
    """What a name in a registry stands for.

    Parameters
    ----------
    cls
        The class.
    description
        What it is, in one line.
    reference
        Publication, as a DOI or an arXiv number; empty where there is none.
    multi_graph
        Whether an encoder tells its graphs apart; others take their union.
    options
        Keyword arguments that the name stands for, where it is a preset of the class.
    """

    cls: type[Built]
    description: str
    reference: str = ""
    multi_graph: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


Kind = TypeVar("Kind", bound=Entry[Any])


def add_entry(registry: dict[str, Kind], name: str, entry: Kind, *, kind: str) -> None:
    """Add a row to a registry.

    Raises
    ------
    ValueError
        If another class has that name.
    """
    known, new = registry.get(name, entry).cls, entry.cls
    # A notebook cell that is run again defines the same class again.
    if (known.__module__, known.__qualname__) != (new.__module__, new.__qualname__):
        raise ValueError(
            f"There is already the {kind} {name!r}, {known.__qualname__}; take another name."
        )
    registry[name] = entry


def first_line(cls: type) -> str:
    """Return the first line of a class's docstring, empty if it has none."""
    return (inspect.getdoc(cls) or "").partition("\n")[0] if cls.__doc__ else ""
