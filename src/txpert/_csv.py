"""Tables as CSV, whose text no spreadsheet runs as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pandas as pd

_FORMULA = tuple("=+-@\t\r")


def csv_bytes(table: pd.DataFrame) -> bytes:
    """Return a table without its index as CSV.

    Text that a spreadsheet would take for a formula starts with an apostrophe, as spreadsheets
    themselves write it.
    """
    # All text is quoted: else pandas would leave a carriage return in a name as it is.
    text = _mapped(table, _guarded).to_csv(
        index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC
    )
    return text.encode()


def read_csv(data: bytes) -> pd.DataFrame:
    """Return what :func:`csv_bytes` was given, every value as text; empty where it was missing."""
    # A gene may be called NA: only numbers are ever missing.
    table = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False)
    return _mapped(table, _unguarded)


def _mapped(table: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    changed = table.copy()
    for name in table:
        if not pd.api.types.is_numeric_dtype(table[name]):
            changed[name] = table[name].astype(object).map(change)
    return changed


def _guarded(value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip("'").startswith(_FORMULA):
        return value
    return f"'{value}"


def _unguarded(value: str) -> str:
    plain = value.lstrip("'").startswith(_FORMULA)
    return value[1:] if plain and value.startswith("'") else value
