"""Splits that hold out a cell line, whole or in part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from txpert._constants import CELL_LINE, PERTURBATION, TEST, TRAIN, VALIDATION
from txpert._types import BoolArray

from ._assignment import FRACTIONS, split_by_target
from ._draw import check_fractions, nested_order, target_values, targets_of


def split_cell_lines(
    conditions: pd.DataFrame,
    test_cell_line: str,
    *,
    val_cell_line: str | None = None,
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
    values: Mapping[str, float] | None = None,
) -> list[str]:
    """Hold one cell line out: all of its perturbations are test.

    Parameters
    ----------
    conditions
        cell_line and perturbation of each condition.
    test_cell_line
        The line held out.
    val_cell_line
        A line whose perturbations are all validation. By default validation perturbations are
        drawn in the other lines, by target and the same in all, so that train and val are to
        each other as in ``fractions``.
    fractions, seed, values
        As in :func:`split_by_target`; that of test is not used.

    Returns
    -------
    The split of each condition.

    Raises
    ------
    ValueError
        If there is no such line, or none is left to train on.
    """
    _check_lines(conditions[CELL_LINE], test_cell_line, val_cell_line)
    line = conditions[CELL_LINE].to_numpy()
    labels = conditions[PERTURBATION].to_numpy()
    train, val, _ = check_fractions(fractions)
    if val_cell_line is not None:
        split = np.where(line == val_cell_line, VALIDATION, TRAIN)
    elif train + val == 0:
        raise ValueError("fractions leave nothing to train on.")
    else:
        others = labels[line != test_cell_line]
        without_test = (train / (train + val), val / (train + val), 0.0)
        part = split_by_target(others, fractions=without_test, seed=seed, values=values)
        split = np.array([part.get(label, TRAIN) for label in labels], dtype=object)
    return [str(part) for part in np.where(line == test_cell_line, TEST, split)]


def split_few_shot(
    conditions: pd.DataFrame,
    test_cell_line: str,
    *,
    measured: float = 0.5,
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
    values: Mapping[str, float] | None = None,
) -> list[str | None]:
    """Measure a part of one cell line and hold out another; the other lines are training.

    The perturbed genes of the line are put in one random order. The last are test, the first are
    measured, and those between, if any, are in no split. So for one seed the test perturbations
    are the same whatever is measured, and what is measured of a smaller part is measured of a
    larger one too. A combination is test if any of its targets is, and measured if all are.

    Parameters
    ----------
    conditions
        cell_line and perturbation of each condition.
    test_cell_line
        The line measured in part.
    measured
        Perturbed genes of the line that are measured: a fraction of them or, as an integer, their
        number. They are divided between training and validation as in ``fractions``.
    fractions
        Fractions of train, val and test. The last is the fraction of the line that is test.
    seed, values
        As in :func:`split_by_target`.

    Returns
    -------
    The split of each condition; ``None`` for what is neither measured nor test.

    Raises
    ------
    ValueError
        If there is no such line, none is left to train on, or the line has too few perturbed
        genes for what is asked.
    """
    _check_lines(conditions[CELL_LINE], test_cell_line, None)
    here = (conditions[CELL_LINE] == test_cell_line).to_numpy()
    labels = conditions[PERTURBATION].to_numpy()
    parts_of = targets_of(labels[here])
    targets = sorted({target for parts in parts_of.values() for target in parts})
    train, val, test = check_fractions(fractions)
    if train + val == 0 or test == 0:
        raise ValueError(
            f"fractions={tuple(fractions)} leave nothing to {'test' if test == 0 else 'train on'}."
        )
    n_measured, n_test = _few_shot_sizes(len(targets), measured, test, test_cell_line)
    rng = np.random.default_rng(seed)
    order = nested_order(targets, rng, target_values(parts_of, values))
    is_val = _every(val / (train + val), n_measured)
    part = {target: VALIDATION if v else TRAIN for target, v in zip(order, is_val, strict=False)}
    part |= dict.fromkeys(order[len(order) - n_test :], TEST)
    split = {
        label: _follow([part.get(target) for target in parts_of[label]]) for label in parts_of
    }
    return [split[label] if own else TRAIN for label, own in zip(labels, here, strict=True)]


def _few_shot_sizes(n_targets: int, measured: float, test: float, line: str) -> tuple[int, int]:
    """Return the numbers of genes measured and tested, each at least one."""
    is_number = isinstance(measured, int | np.integer) and not isinstance(measured, bool)
    if isinstance(measured, bool) or not (measured >= 1 if is_number else 0 < measured < 1):
        raise ValueError(
            "measured is a fraction between 0 and 1 or a whole number of perturbed genes from 1 "
            f"on, not {measured!r}; where none is measured take task='unseen_cell_line'."
        )
    n_test = max(round(n_targets * test), 1)
    n_measured = int(measured) if is_number else max(round(n_targets * measured), 1)
    if not is_number and measured + test <= 1 + 1e-9:
        n_measured = min(n_measured, n_targets - n_test)
    if n_measured < 1 or n_measured + n_test > n_targets:
        raise ValueError(
            f"{line!r} has {n_targets} perturbed genes, of which {n_test} are test (fractions); "
            f"measured={measured!r} leaves too few. Lower it or the test fraction."
        )
    return n_measured, n_test


def _every(fraction: float, n: int) -> BoolArray:
    """Mark a fraction of n places, evenly spread; fewer places have the same marks."""
    marks = np.floor(np.arange(n + 1) * fraction + 0.5)
    return np.diff(marks) > 0


def _follow(parts: Sequence[str | None]) -> str | None:
    """Return the split of a combination from those of its targets."""
    if TEST in parts:
        return TEST
    if None in parts:
        return None
    return VALIDATION if VALIDATION in parts else TRAIN


def _check_lines(lines: pd.Series, test: str, val: str | None) -> None:
    known = sorted(set(lines))
    for name, line in (("test_cell_line", test), ("val_cell_line", val)):
        if line is not None and line not in known:
            raise ValueError(
                f"{name}={line!r} is no cell line with perturbations; there are "
                f"{', '.join(known)}."
            )
    if test == val:
        raise ValueError(f"{test!r} cannot be the cell line of validation and of test.")
    if not set(known) - {test, val}:
        raise ValueError(
            f"No cell line is left to train on besides {' and '.join(filter(None, (test, val)))}; "
            f"there are {', '.join(known)}."
        )
