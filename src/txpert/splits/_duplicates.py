"""Cells that occur twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from txpert._constants import CELL_LINE, CONTROL, PERTURBATION, SPLIT, TEST, TRAIN, VALIDATION
from txpert._types import IntArray
from txpert.data._matrix import row_digests

from ._leaks import Problem

_LEARNED_FROM = {TEST: (TRAIN, CONTROL, VALIDATION), VALIDATION: (TRAIN, CONTROL)}


def repeated_names(cells: pd.DataFrame) -> Iterator[Problem]:
    """Find held-out cells that share their name with a cell learned from."""
    names, role = cells.index.to_numpy(), _roles(cells)
    for members in _repeated(names):
        for cell, source in _pairs(members, role):
            detail = f"the name of a cell in {role[cell]} and of one in {role[source]}"
            yield Problem("repeated_name", str(names[cell]), detail)


def identical_cells(cells: pd.DataFrame, matrix: Any) -> Iterator[Problem]:
    """Find held-out cells with the expression of a cell learned from, and shared controls.

    Cells without any expression are left out.
    """
    digest = row_digests(matrix)
    cells, digest = cells[digest != 0], digest[digest != 0]
    names, labels = cells.index, cells[PERTURBATION].to_numpy()
    control, line = cells[CONTROL].to_numpy(), cells[CELL_LINE].to_numpy()
    role, shared = _roles(cells), Counter[str]()
    for members in _repeated(digest):
        for cell, source in _pairs(members, role):
            yield Problem(
                "identical_cells",
                str(names[cell]),
                f"a cell of {labels[cell]} in {role[cell]} has the expression of "
                f"{names[source]!r}, a cell of {labels[source]} in {role[source]}",
            )
        lines = sorted(set(line[members[control[members]]]))
        if len(lines) > 1:
            shared[", ".join(lines)] += 1
    for value, n in shared.items():
        detail = f"{n:,} control cells have the same expression in each of these cell lines"
        yield Problem("shared_controls", value, detail)


def _roles(cells: pd.DataFrame) -> npt.NDArray[np.object_]:
    return np.where(cells[CONTROL], CONTROL, cells[SPLIT].astype(object))


def _repeated(key: npt.NDArray[np.generic]) -> Iterator[IntArray]:
    """Yield the positions of each key that occurs more than once."""
    repeated = np.flatnonzero(pd.Index(key).duplicated(keep=False))
    for _, members in pd.Series(repeated).groupby(key[repeated], sort=False):
        yield members.to_numpy()


def _pairs(members: IntArray, role: npt.NDArray[np.object_]) -> Iterator[tuple[int, int]]:
    """Yield each held-out cell among equal ones, with one of them that is learned from."""
    first: dict[str, int] = {}
    for cell in members:
        first.setdefault(role[cell], int(cell))
    for cell in members:
        sources = [first[name] for name in _LEARNED_FROM.get(role[cell], ()) if name in first]
        if sources:
            yield int(cell), sources[0]
