"""What all registries have in common: who may take a name, and the table of what there is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from operator import attrgetter
from typing import Any, TypeVar

import pandas as pd

Row = TypeVar("Row")


def add_entry(
    registry: dict[str, Row],
    name: str,
    entry: Row,
    *,
    kind: str,
    definition: Callable[[Any], Any] = attrgetter("cls"),
) -> None:
    """Add an entry to a registry, in place of an earlier one of the same definition.

    A notebook cell that is run again defines the same class again: what has the same module and
    qualified name replaces what was registered before, at its position.

    Parameters
    ----------
    registry
        Entries by name.
    name
        Name of the new entry.
    entry
        The entry.
    kind
        What users call an entry, such as ``"encoder"``.
    definition
        Returns the class or function of an entry.

    Raises
    ------
    ValueError
        If another class or function has that name.
    """
    known, new = definition(registry.get(name, entry)), definition(entry)
    if _defined_as(known) != _defined_as(new):
        raise ValueError(
            f"There is already the {kind} {name!r}, {_defined_as(known)[1]}; take another name."
        )
    registry[name] = entry


def first_line(defined: Any) -> str:
    """Return the first line of the docstring of a class or function, empty if it has none."""
    return (inspect.getdoc(defined) or "").partition("\n")[0] if defined.__doc__ else ""


def table(
    registry: Mapping[str, Row], columns: Callable[[str, Row], dict[str, Any]]
) -> pd.DataFrame:
    """Return one row per entry of a registry, by name.

    Parameters
    ----------
    registry
        Entries by name.
    columns
        Returns the values of an entry by column.
    """
    rows = [columns(name, entry) for name, entry in registry.items()]
    return pd.DataFrame(rows, index=pd.Index(registry, name="name"))


def _defined_as(defined: Any) -> tuple[str, str]:
    """Return module and qualified name; of a partial function and of an object, what it is of."""
    while isinstance(defined, partial):
        defined = defined.func
    named = defined if hasattr(defined, "__qualname__") else type(defined)
    return named.__module__, named.__qualname__
