"""Splits for unseen combinations and unseen cell lines, and what a held-out condition asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import numpy as np
import pandas as pd

from txpert._constants import CELL_LINE, PERTURBATION, SPLIT, TEST, TRAIN, VALIDATION
from txpert.data import parse_targets

from ._assignment import FRACTIONS, split_by_target
from ._draw import check_shares, deal

Task = Literal["unseen_perturbation", "unseen_combination", "unseen_cell_line"]
TASKS: tuple[str, ...] = get_args(Task)
UNSEEN_SINGLE = "unseen_single"


def split_combinations(
    perturbations: Iterable[str],
    *,
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
    values: Mapping[str, float] | None = None,
) -> dict[str, str]:
    """Assign singles and combinations as in GEARS' scheme.

    Targets are held out as by :func:`split_by_target`, and combinations with them. Of the
    combinations that are left, all of whose targets are kept, the same shares are drawn for
    validation and test.

    Parameters
    ----------
    perturbations, fractions, seed, values
        As in :func:`split_by_target`.

    Raises
    ------
    ValueError
        If there are no combinations, or none falls into test.

    Notes
    -----
    Roohani, Huang & Leskovec, Nature Biotechnology 2024 (GEARS).
    """
    split = split_by_target(perturbations, fractions=fractions, seed=seed, values=values)
    combinations = [label for label in split if len(parse_targets(label)) > 1]
    if not combinations:
        raise ValueError(
            f"None of the {len(split)} perturbations is a combination such as 'A+B', so there "
            "are none to hold out; use task='unseen_perturbation'."
        )
    shares = check_shares(fractions)
    kept = [label for label in combinations if split[label] == TRAIN]
    rng = np.random.default_rng([seed, 1])
    n_test = round(len(kept) * shares[2])
    n_val = min(round(len(kept) * shares[1]), len(kept) - n_test)
    test, val, _ = deal(kept, (n_test, n_val, len(kept) - n_test - n_val), rng, values)
    split |= dict.fromkeys(test, TEST) | dict.fromkeys(val, VALIDATION)
    if TEST not in {split[label] for label in combinations}:
        raise ValueError(
            f"With seed={seed} and fractions={tuple(fractions)} none of the {len(combinations)} "
            "combinations is in test. Take another seed or a larger test share."
        )
    return split


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
        As in :func:`split_by_target`; the test share is not used.

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
    train, val, _ = check_shares(fractions)
    if val_cell_line is not None:
        split = np.where(line == val_cell_line, VALIDATION, TRAIN)
    elif train + val == 0:
        raise ValueError("fractions leave nothing to train on.")
    else:
        others = labels[line != test_cell_line]
        shares = (train / (train + val), val / (train + val), 0.0)
        part = split_by_target(others, fractions=shares, seed=seed, values=values)
        split = np.array([part.get(label, TRAIN) for label in labels], dtype=object)
    return [str(part) for part in np.where(line == test_cell_line, TEST, split)]


def held_out_groups(conditions: pd.DataFrame) -> list[str | None]:
    """Say how much of each held-out condition has been trained on.

    Parameters
    ----------
    conditions
        perturbation and split of each condition.

    Returns
    -------
    ``"unseen_single"`` for single targets; for a combination of two how many of its targets are
    in training as singles, ``"seen_0"``, ``"seen_1"`` or ``"seen_2"``, and for one of more
    targets the order too, ``"seen_2_of_3"``. ``None`` where the split is neither val nor test.
    """
    trained = set(conditions.loc[conditions[SPLIT] == TRAIN, PERTURBATION])

    def group(label: str, split: str) -> str | None:
        if split not in (VALIDATION, TEST):
            return None
        targets = parse_targets(label)
        if len(targets) == 1:
            return UNSEEN_SINGLE
        seen = f"seen_{len(trained & set(targets))}"
        return seen if len(targets) == 2 else f"{seen}_of_{len(targets)}"

    return [
        group(*row) for row in conditions[[PERTURBATION, SPLIT]].itertuples(index=False, name=None)
    ]


def seen_elsewhere(conditions: pd.DataFrame) -> list[str | None]:
    """Say whether each held-out condition's perturbation is trained on in another cell line.

    Returns
    -------
    ``"seen"`` or ``"unseen"``; ``None`` where the split is neither val nor test.
    """
    trained = set(conditions.loc[conditions[SPLIT] == TRAIN, PERTURBATION])
    return [
        None if split not in (VALIDATION, TEST) else "seen" if label in trained else "unseen"
        for label, split in zip(conditions[PERTURBATION], conditions[SPLIT], strict=True)
    ]


def split_hash(conditions: pd.DataFrame) -> str:
    """Return a SHA-256 that two people with the same split share.

    Parameters
    ----------
    conditions
        cell_line, perturbation and split of the perturbed conditions, in any order; repeated
        rows count once, and a missing split counts as one.
    """
    columns = conditions[[CELL_LINE, PERTURBATION, SPLIT]].astype(object)
    rows = columns.where(columns.notna(), "").astype(str).itertuples(index=False, name=None)
    text = "\n".join("\t".join(row) for row in sorted(set(rows)))
    return hashlib.sha256(text.encode()).hexdigest()


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
