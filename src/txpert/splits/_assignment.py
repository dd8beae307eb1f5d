"""Assigning perturbed genes to train, validation and test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from txpert._constants import TEST, TRAIN, VALIDATION
from txpert.data._reading import read_labels
from txpert.data._screen import Screen
from txpert.data._tokens import parse_targets

from ._draw import Fractions, check_fractions, deal, target_values, targets_of

FRACTIONS = (0.5625, 0.1875, 0.25)
"""Fractions of train, val and test in the paper's unseen-perturbation task."""


def split_by_target(
    perturbations: Iterable[str],
    *,
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
    values: Mapping[str, float] | None = None,
) -> dict[str, str]:
    """Assign each perturbation to train, val or test so that no held-out target is trained on.

    The targets are drawn; a combination goes to test if any of its targets does, else to val if
    any of its targets does, so a target held out is unseen alone and in combinations.

    Parameters
    ----------
    perturbations
        Labels; controls are left out.
    fractions
        Fractions of train, val and test among the targets.
    seed
        Seeds the draw.
    values
        A number per perturbation, such as its effect size, to balance over the parts.

    Raises
    ------
    ValueError
        If the fractions are not three non-negative numbers that add up to 1, or there are fewer
        targets than splits asked for.
    """
    checked = check_fractions(fractions)
    parts_of = targets_of(perturbations)
    targets = sorted({target for parts in parts_of.values() for target in parts})
    n_val, n_test = _sizes(len(targets), checked)
    sizes = n_test, n_val, len(targets) - n_test - n_val
    rng = np.random.default_rng(seed)
    test, val, _ = deal(targets, sizes, rng, target_values(parts_of, values))
    return {
        label: TEST if test & set(parts) else VALIDATION if val & set(parts) else TRAIN
        for label, parts in parts_of.items()
    }


def split_by_fold(
    perturbations: Iterable[str],
    fold: int,
    n_folds: int,
    *,
    val_fraction: float = 0.25,
    seed: int = 0,
    values: Mapping[str, float] | None = None,
) -> dict[str, str]:
    """Assign perturbations so that over all folds each is test exactly once.

    The targets are divided among the folds. A combination is test in the fold of one of its
    targets, drawn; in the fold of another it is left out, since it could neither be trained on
    nor count as test once more. Of the targets outside the fold ``val_fraction`` are drawn for
    validation.

    Returns
    -------
    The split of each perturbation; those left out have none.

    Raises
    ------
    ValueError
        If there is no such fold, or there are too few targets for the folds.
    """
    parts_of = targets_of(perturbations)
    targets = sorted({target for parts in parts_of.values() for target in parts})
    _check_folds(fold, n_folds, val_fraction, len(targets))
    value_of = target_values(parts_of, values)
    rng = np.random.default_rng(seed)
    sizes = [len(chunk) for chunk in np.array_split(targets, n_folds)]
    folds = deal(targets, sizes, rng, value_of)
    fold_of = {target: i for i, chunk in enumerate(folds) for target in chunk}
    tested_in = {
        label: fold_of[parts[rng.integers(len(parts))]] for label, parts in parts_of.items()
    }
    test = folds[fold]
    others = [target for target in targets if target not in test]
    n_val = min(max(round(len(others) * val_fraction), int(val_fraction > 0)), len(others) - 1)
    rng = np.random.default_rng([seed, fold])
    val, _ = deal(others, (n_val, len(others) - n_val), rng, value_of)
    return {
        label: TEST if test & set(parts) else VALIDATION if val & set(parts) else TRAIN
        for label, parts in parts_of.items()
        if tested_in[label] == fold or not test & set(parts)
    }


def draw_split(screen: Screen, *, seed: int) -> Screen:
    """Hold out a fifth of the perturbed genes for validation in a screen that has no split.

    With fewer than five perturbed genes all are trained on.
    """
    reading = read_labels(screen.perturbation.categories, screen.genes)
    labels = [reading.label(label) for label in screen.perturbation.categories]
    n_targets = len({target for label in labels for target in parse_targets(label)})
    fractions = (0.8, 0.2, 0.0) if n_targets >= 5 else (1.0, 0.0, 0.0)
    part = split_by_target(labels, fractions=fractions, seed=seed)
    of_category = pd.Categorical(
        [part.get(label) for label in labels], categories=[TRAIN, VALIDATION, TEST]
    )
    codes = of_category.codes[screen.perturbation.codes]
    return replace(screen, split=pd.Categorical.from_codes(codes, dtype=of_category.dtype))


def _sizes(n_targets: int, fractions: Fractions) -> tuple[int, int]:
    """Round the sizes of val and test, at least one target for every split asked for."""
    if n_targets < np.count_nonzero(fractions):
        raise ValueError(
            f"{n_targets} perturbed genes are too few to split into {np.count_nonzero(fractions)} "
            "parts. Leave one perturbation out at a time instead, by a split column of your own."
        )
    n_val, n_test = (max(round(n_targets * part), int(part > 0)) for part in fractions[1:])
    if fractions[0] > 0 and n_val + n_test == n_targets:
        if n_val >= n_test:
            n_val -= 1
        else:
            n_test -= 1
    return n_val, n_test


def _check_folds(fold: int, n_folds: int, val_fraction: float, n_targets: int) -> None:
    if n_folds < 2 or not 0 <= fold < n_folds:
        raise ValueError(
            f"There is no fold {fold} of {n_folds}; n_folds is at least 2, and folds count from 0."
        )
    if not 0 <= val_fraction < 1:
        raise ValueError(f"val_fraction must be at least 0 and less than 1, not {val_fraction}.")
    largest = int(np.ceil(n_targets / n_folds))
    needed = 2 if val_fraction else 1
    if n_targets < n_folds or n_targets - largest < needed:
        raise ValueError(
            f"{n_targets} perturbed genes are too few for {n_folds} folds with something left to "
            "train on; take fewer folds."
        )


def hold_out(
    split: pd.Categorical | pd.Series[Any],
    perturbation: pd.Categorical | pd.Series[Any],
    part: Mapping[str, str],
) -> pd.Categorical[Any]:
    """Move training perturbations that are "test" in a fold to validation.

    Parameters
    ----------
    split
        Split of each cell or condition.
    perturbation
        Perturbation of each.
    part
        What :func:`split_by_fold` returned. Perturbations that it leaves out are in no split.
    """
    to = {TRAIN: TRAIN, TEST: VALIDATION}
    moved = {label: to[name] for label, name in part.items()}
    labels = pd.Categorical(perturbation)
    of_label = np.array([moved.get(label) for label in labels.categories], dtype=object)
    given = np.asarray(split, dtype=object)
    kept = np.where(given == TRAIN, of_label[labels.codes], given)
    return pd.Categorical(kept, categories=[TRAIN, VALIDATION, TEST])
