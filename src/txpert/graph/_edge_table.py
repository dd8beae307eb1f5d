"""Tables with one edge per row."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from txpert._options import check_path

from ._arrays import EdgeArrays, Weights, concatenate
from ._files import FilePath, read_table
from ._names import clean_names

Negative = Literal["raise", "absolute", "drop"]


def edges_from_table(
    edges: pd.DataFrame | FilePath,
    *,
    where: str,
    source: str,
    target: str,
    weight: str | None,
    directed: bool,
    negative: Negative,
) -> tuple[pd.Index, EdgeArrays, str]:
    """Read and check a table with one edge per row.

    Parameters
    ----------
    edges, source, target, weight, directed, negative
        As for :meth:`KnowledgeGraph.from_edges`.
    where
        What the table is, for messages.

    Returns
    -------
    Its nodes, its edges, and how it was read, for the history of the graph.
    """
    step = _step(edges, weight, directed, negative)
    if not isinstance(edges, pd.DataFrame):
        check_path("edges", edges)
    table = edges if isinstance(edges, pd.DataFrame) else read_table(edges, (source, target))
    if weight is None and "weight" in table:
        weight = "weight"
    for column in filter(None, (source, target, weight)):
        if column not in table:
            raise KeyError(
                f"There is no column {column!r} in {where}; "
                f"it has {', '.join(map(repr, table.columns))}."
            )
        if isinstance(table[column], pd.DataFrame):
            raise ValueError(f"There are several columns {column!r} in {where}; keep one.")
    spelling, spellings = pd.factorize(pd.concat([table[source], table[target]]))
    names, missing = clean_names(pd.Index(spellings))
    empty = (spelling < 0) | np.append(missing, True)[spelling]
    if empty.any():
        rows = empty[: len(table)] | empty[len(table) :]
        raise ValueError(
            f"Row {table.index[rows][0]} of {where} (of {rows.sum():,} such rows) has no gene "
            f"symbol in {source!r} or {target!r} (empty, or text such as 'nan'); drop such rows "
            "first."
        )
    code, nodes = pd.factorize(names, sort=True)
    codes = code[spelling]
    values = np.ones(len(table), np.float32)
    if weight:
        values = _weights(table[weight], where, negative)
    arrays = EdgeArrays(codes[: len(table)], codes[len(table) :], values)
    arrays = arrays.take(values >= 0)
    if not directed:
        arrays = concatenate([arrays, arrays.reverse()])
    return pd.Index(nodes), arrays, step


def _step(
    edges: pd.DataFrame | FilePath, weight: str | None, directed: bool, negative: Negative
) -> str:
    """Return how a table is read, without the options at their defaults."""
    options = [f"{len(edges)} rows" if isinstance(edges, pd.DataFrame) else repr(str(edges))]
    options += [f"weight={weight!r}"] if weight else []
    options += [] if directed else ["directed=False"]
    options += [] if negative == "raise" else [f"negative={negative!r}"]
    return f"from_edges({', '.join(options)})"


def _weights(column: pd.Series, where: str, negative: Negative) -> Weights:
    numbers = pd.to_numeric(column, errors="coerce")
    if np.iscomplexobj(numbers):
        raise ValueError(f"{column.name} of {where} holds complex numbers; take their np.abs.")
    values = numbers.to_numpy(dtype=np.float32)
    if negative == "absolute":
        values = np.abs(values)
    elif negative not in ("raise", "drop"):
        raise ValueError(f"negative must be 'raise', 'absolute' or 'drop', not {negative!r}.")
    bad = ~np.isfinite(values)
    if negative == "raise":
        bad |= values < 0
    if bad.any():
        row = np.flatnonzero(bad)[0]
        raise ValueError(
            f"Row {column.index[row]} of {where} has {column.name} = {column.tolist()[row]!r}; "
            "weights must be finite, and not negative unless negative='absolute' or 'drop'."
        )
    return values
