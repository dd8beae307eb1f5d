"""Short representations of objects, as text and as HTML in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape


def as_text(title: str, rows: Mapping[str, str]) -> str:
    """Return a title and a line per row."""
    return "\n".join([title, *(f"    {name}: {value}" for name, value in rows.items())])


def as_html(title: str, rows: Mapping[str, str]) -> str:
    """Return a title and a table of two columns."""
    cells = (
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in rows.items()
    )
    return f"<div><strong>{escape(title)}</strong><table>{''.join(cells)}</table></div>"


def listed(names: Iterable[str], most: int = 5) -> str:
    """Join names by commas, the first few of many."""
    known = list(map(str, names))
    more = f", … ({len(known)})" if len(known) > most else ""
    return ", ".join(known[:most]) + more
