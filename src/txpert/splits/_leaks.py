"""What of the held-out conditions a model, a graph or a choice of genes has seen already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pandas as pd

from txpert._constants import (
    ALL,
    CELL_LINE,
    MODALITY,
    PERTURBATION,
    SPLIT,
    TEST,
    TRAIN,
    VALIDATION,
)
from txpert.data._tokens import parse_targets

_NAMES = {TRAIN: "training", VALIDATION: "validation"}


class Problem(NamedTuple):
    """One leak: what kind it is, who leaks, and how."""

    kind: str
    value: str
    detail: str


def line_leaks(conditions: pd.DataFrame) -> Iterator[Problem]:
    """Find perturbations of test lines that are learned from, and mixed ones of other lines."""
    test_lines = set(conditions.loc[conditions[SPLIT] == TEST, CELL_LINE])
    for line in sorted(test_lines):
        here = conditions[conditions[CELL_LINE] == line]
        for part in (TRAIN, VALIDATION):
            labels = sorted(here.loc[here[SPLIT] == part, PERTURBATION])
            if labels:
                yield Problem(
                    f"test_cell_line_in_{_NAMES[part]}",
                    line,
                    f"{len(labels)} of its perturbations are in {part}: {shorten(labels)}",
                )
    others = conditions[~conditions[CELL_LINE].isin(test_lines)]
    mixed = others.groupby(CELL_LINE)[SPLIT].transform(lambda parts: (parts == TRAIN).any())
    yield from used_before(others[mixed], TRAIN, VALIDATION)


def used_before(
    conditions: pd.DataFrame, used: str, held_out: str, *, seen_targets: bool = False
) -> Iterator[Problem]:
    """Find the perturbations of one part that another has, or all of whose targets it has.

    With ``seen_targets`` a combination may consist of targets that are learned from, as unseen
    combinations do.
    """
    by_target: dict[str, list[str]] = {}
    labels = set(conditions.loc[conditions[SPLIT] == used, PERTURBATION])
    for label in sorted(labels):
        for target in parse_targets(label):
            by_target.setdefault(target, []).append(label)
    for label in sorted(set(conditions.loc[conditions[SPLIT] == held_out, PERTURBATION])):
        targets = parse_targets(label)
        if label in labels:
            rows = conditions[(conditions[PERTURBATION] == label) & (conditions[SPLIT] == used)]
            yield Problem(
                f"perturbation_in_{_NAMES[used]}",
                label,
                f"it is in {held_out}, and in {used} in {shorten(sorted(rows[CELL_LINE]))}",
            )
        elif all(target in by_target for target in targets) and (
            not seen_targets or len(targets) == 1
        ):
            where = sorted({name for target in targets for name in by_target[target]})
            yield Problem(
                f"target_in_{_NAMES[used]}",
                label,
                f"it is in {held_out}, and {' and '.join(targets)} in {used} by {shorten(where)}",
            )


def mixed_conditions(conditions: pd.DataFrame, cells: pd.DataFrame) -> Iterator[Problem]:
    """Find perturbations of one cell line, and modality, whose cells are in several splits."""
    pair = [CELL_LINE, PERTURBATION]
    of_each = [*pair, *([MODALITY] if MODALITY in cells else [])]
    candidates = conditions.loc[conditions.duplicated(pair), pair].drop_duplicates()
    for line, label in candidates.itertuples(index=False, name=None):
        rows = cells[(cells[CELL_LINE] == line) & (cells[PERTURBATION] == label)]
        if not rows[[*of_each, SPLIT]].drop_duplicates().duplicated(of_each).any():
            continue  # each modality is in one split
        counts = rows[SPLIT].astype(object).fillna("no split").value_counts(sort=False)
        listed = ", ".join(f"{n:,} in {part}" for part, n in sorted(counts.items()))
        yield Problem("condition_in_several_splits", label, f"its cells in {line}: {listed}")


def seen_held_out(conditions: pd.DataFrame, seen: Iterable[str]) -> list[str]:
    """Return which of the conditions seen are held out, such as ``"K562|KLF1 (test)"``.

    A condition of a cell line that the data lack comes from other data and does not count; one
    of the cell line ``"all"`` is known by its perturbation.
    """
    held = conditions[conditions[SPLIT].isin((VALIDATION, TEST))]
    rows = list(held[[CELL_LINE, PERTURBATION, SPLIT]].itertuples(index=False, name=None))
    by_condition = {(line, label): part for line, label, part in rows}
    by_label = {label: part for _, label, part in rows}
    lines = set(conditions[CELL_LINE])
    found = []
    for name in map(str, seen):
        part = None
        for line, label in _line_and_label(name):
            if line in lines:
                part = part or by_condition.get((line, label))
            elif line == ALL or lines == {ALL}:
                part = part or by_label.get(label)
        if part is not None:
            found.append(f"{name} ({part})")
    return found


def _line_and_label(name: str) -> Iterator[tuple[str, str]]:
    """Yield all that ``"cell line|perturbation"`` may mean where names hold a bar themselves."""
    pieces = name.split("|")
    for n in range(len(pieces)):
        yield "|".join(pieces[:n]), "|".join(pieces[n:])


def shorten(names: list[str]) -> str:
    """Join up to five names and count the rest."""
    rest = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return ", ".join(map(str, names[:5])) + rest
