"""Splits for unseen combinations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from txpert._constants import TEST, TRAIN, VALIDATION
from txpert.data._tokens import parse_targets

from ._assignment import FRACTIONS, split_by_target
from ._draw import check_fractions, deal


def split_combinations(
    perturbations: Iterable[str],
    *,
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
    values: Mapping[str, float] | None = None,
) -> dict[str, str]:
    """Assign singles and combinations as in GEARS' scheme.

    Targets are held out as by :func:`split_by_target`, and combinations with them. Of the
    combinations that are left, all of whose targets are kept, the same fractions are drawn for
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
    _, val_fraction, test_fraction = check_fractions(fractions)
    kept = [label for label in combinations if split[label] == TRAIN]
    rng = np.random.default_rng([seed, 1])
    n_test = round(len(kept) * test_fraction)
    n_val = min(round(len(kept) * val_fraction), len(kept) - n_test)
    test, val, _ = deal(kept, (n_test, n_val, len(kept) - n_test - n_val), rng, values)
    split |= dict.fromkeys(test, TEST) | dict.fromkeys(val, VALIDATION)
    if TEST not in {split[label] for label in combinations}:
        raise ValueError(
            f"With seed={seed} and fractions={tuple(fractions)} none of the {len(combinations)} "
            "combinations is in test. Take another seed or a larger test fraction."
        )
    return split
