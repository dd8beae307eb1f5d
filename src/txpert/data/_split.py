from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from txpert._constants import TEST, TRAIN, VALIDATION

from ._screen import Screen
from ._tokens import parse_targets

FRACTIONS = (0.5625, 0.1875, 0.25)
"""Shares of train, val and test in the paper's unseen-perturbation task."""


def split_by_target(
    perturbations: Iterable[str],
    *,
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
) -> dict[str, str]:
    """Assign each perturbation to train, val or test so that no held-out target is trained on.

    The targets are drawn; a combination goes to test if any of its targets does, else to val if
    any of its targets does, so a target held out is unseen on its own and in company.

    Raises
    ------
    ValueError
        If the fractions are not three non-negative numbers that add up to 1, or there are fewer
        targets than splits asked for.
    """
    shares = np.asarray(fractions, dtype=float)
    if shares.shape != (3,) or (shares < 0).any() or not np.isclose(shares.sum(), 1):
        raise ValueError(
            f"fractions must be three non-negative numbers that add up to 1, not {fractions}."
        )
    targets_of = {label: parse_targets(label) for label in perturbations}
    targets = sorted({target for parts in targets_of.values() for target in parts})
    n_val, n_test = _sizes(len(targets), shares)
    shuffled = np.random.default_rng(seed).permutation(targets)
    test, val = set(shuffled[:n_test]), set(shuffled[n_test : n_test + n_val])
    return {
        label: TEST if test & set(parts) else VALIDATION if val & set(parts) else TRAIN
        for label, parts in targets_of.items()
        if parts
    }


def draw_split(screen: Screen, *, seed: int) -> Screen:
    """Hold out a fifth of the perturbed genes for validation in a screen that has no split.

    With fewer than five perturbed genes all are trained on.
    """
    labels = screen.perturbation.categories
    n_targets = len({target for label in labels for target in parse_targets(label)})
    fractions = (0.8, 0.2, 0.0) if n_targets >= 5 else (1.0, 0.0, 0.0)
    part = split_by_target(labels, fractions=fractions, seed=seed)
    of_category = pd.Categorical(
        [part.get(label) for label in labels], categories=[TRAIN, VALIDATION, TEST]
    )
    codes = of_category.codes[screen.perturbation.codes]
    return replace(screen, split=pd.Categorical.from_codes(codes, dtype=of_category.dtype))


def _sizes(n_targets: int, shares: np.ndarray) -> tuple[int, int]:
    """Round the sizes of val and test, at least one target for every split asked for."""
    if n_targets < np.count_nonzero(shares):
        raise ValueError(
            f"{n_targets} perturbed genes are too few to split into {np.count_nonzero(shares)} "
            "parts. Leave one perturbation out at a time instead, by a split column of your own."
        )
    n_val, n_test = (max(round(n_targets * share), int(share > 0)) for share in shares[1:])
    if shares[0] > 0 and n_val + n_test == n_targets:
        if n_val >= n_test:
            n_val -= 1
        else:
            n_test -= 1
    return n_val, n_test
