"""How much of a held-out condition has been trained on."""

from __future__ import annotations

import pandas as pd

from txpert._constants import PERTURBATION, SPLIT, TEST, TRAIN, VALIDATION
from txpert.data._tokens import parse_targets

UNSEEN_SINGLE = "unseen_single"


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
