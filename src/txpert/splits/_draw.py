"""Drawing names at random, spread evenly over their values if they have any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from txpert._types import FloatArray
from txpert.data._tokens import parse_targets

Fractions = FloatArray

_GOLDEN = (np.sqrt(5) - 1) / 2
_SHUFFLED = 4
"""Neighbors in rank that are shuffled."""


def deal(
    names: Sequence[str],
    sizes: Sequence[int],
    rng: np.random.Generator,
    values: Mapping[str, float] | None = None,
) -> list[set[str]]:
    """Divide the names at random into parts of these sizes, which add up to all names.

    With values, low, middle and high ones are balanced between the parts: over the names ranked
    by value the parts alternate as evenly as their sizes allow, and neighbors in rank are
    shuffled.
    """
    if values is None or not len(names):
        drawn = np.split(rng.permutation(np.asarray(names, dtype=str)), np.cumsum(sizes)[:-1])
        return [{str(name) for name in part} for part in drawn]
    ranked = np.asarray(names, dtype=str)[
        np.lexsort((rng.random(len(names)), np.array([values[name] for name in names])))
    ]
    part = np.repeat(np.arange(len(sizes)), sizes)
    place = np.concatenate([(np.arange(size) + rng.random()) / size for size in sizes if size])
    part = part[np.argsort(place)]
    block = int(np.ceil(len(names) / min(size for size in sizes if size)))
    for start in range(0, len(part), block):
        rng.shuffle(part[start : start + block])
    return [{str(name) for name in ranked[part == i]} for i in range(len(sizes))]


def nested_order(
    names: Sequence[str], rng: np.random.Generator, values: Mapping[str, float] | None = None
) -> list[str]:
    """Put names in a random order of which any stretch spreads evenly over their values, if given.

    Ranks by value are visited in steps of the golden ratio, whose multiples fill the unit
    interval evenly however many there are; neighbors in rank are shuffled before.
    """
    if values is None or not len(names):
        return [str(name) for name in rng.permutation(np.asarray(names, dtype=str))]
    ranked = np.asarray(names, dtype=str)[
        np.lexsort((rng.random(len(names)), np.array([values[name] for name in names])))
    ]
    for start in range(0, len(ranked), _SHUFFLED):
        rng.shuffle(ranked[start : start + _SHUFFLED])
    place = (np.arange(len(ranked)) * _GOLDEN + rng.random()) % 1
    return [str(name) for name in ranked[np.argsort(place)]]


def check_fractions(fractions: Sequence[float]) -> Fractions:
    """Return the fractions of train, val and test.

    Raises
    ------
    ValueError
        If they are not three non-negative numbers that add up to 1.
    """
    try:
        checked = np.asarray(fractions, dtype=float)
    except (TypeError, ValueError):
        checked = np.empty(0)
    if checked.shape != (3,) or (checked < 0).any() or not np.isclose(checked.sum(), 1):
        raise ValueError(
            f"fractions must be three non-negative numbers that add up to 1, not {fractions}."
        )
    return checked


def targets_of(labels: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the targets of each perturbation, controls left out, in a fixed order."""
    parsed = {label: parse_targets(label) for label in sorted(set(labels))}
    return {label: targets for label, targets in parsed.items() if targets}


def target_values(
    targets: Mapping[str, tuple[str, ...]], values: Mapping[str, float] | None
) -> dict[str, float] | None:
    """Give each target the mean value of its single perturbations, else of its combinations."""
    if values is None:
        return None
    alone: dict[str, list[float]] = {}
    together: dict[str, list[float]] = {}
    for label, parts in targets.items():
        for target in parts:
            (alone if len(parts) == 1 else together).setdefault(target, []).append(values[label])
    return {target: float(np.mean(found)) for target, found in (together | alone).items()}
