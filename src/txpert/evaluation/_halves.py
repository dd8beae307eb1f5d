"""Δ of random halves of the cells, for ceilings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from txpert._types import FloatArray, IntArray, Matrix
from txpert.data._group_sums import group_sums
from txpert.data._values import ValueCheck

from ._observations import Observations

_BYTES_PER_PASS = 2**28


def draw_halves(condition: IntArray, rng: np.random.Generator) -> IntArray:
    """Halve the cells of each condition at random.

    The odd cell of a condition, or its only one, goes to either half with the same probability.

    Parameters
    ----------
    condition
        Condition of each cell, ``(n_cells,)``.
    rng
        Source of randomness.

    Returns
    -------
    0 or 1 for each cell, ``(n_cells,)``.
    """
    size = np.bincount(condition)
    order = np.lexsort((rng.random(len(condition)), condition))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(condition)) - (np.cumsum(size) - size)[condition[order]]
    return (rank + rng.integers(2, size=len(size))[condition]) % 2


def split_half_deltas(
    X: Matrix,
    observations: Observations,
    condition: IntArray,
    *,
    n_repeats: int,
    seed: int,
    check: ValueCheck | None = None,
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield the Δ of either half of the cells, halved again in each repeat.

    Controls are halved too, so the two Δ share no cell. The cells are read once for as many
    repeats as fit into about 256 MB.

    Parameters
    ----------
    X
        Log-normalized expression, cells × genes.
    observations
        What the cells are averaged into.
    condition
        Condition of each cell, ``(n_cells,)``; −1 leaves a cell out of both halves.
    n_repeats
        Number of pairs.
    seed
        Seeds the halves; each repeat has its own, so more repeats leave the first as they are.
    check
        Of the values, on the way; by default one that refuses what is no log-normalized number.

    Raises
    ------
    ValueError
        If a cell is NaN, infinite or unusable otherwise.
    """
    n_groups, n_conditions = observations.n_groups, len(observations.group)
    used = condition >= 0
    group = np.where(used, observations.group[condition], -1)
    n_cells = np.bincount(condition[used], minlength=n_conditions)
    check = check or ValueCheck("Expression")
    total = group_sums(X, group, n_groups, check=check)
    check.conclude()
    per_pass = max(1, _BYTES_PER_PASS // total.nbytes)
    for start in range(0, n_repeats, per_pass):
        repeats = range(start, min(start + per_pass, n_repeats))
        first = np.zeros((len(condition), len(repeats)), dtype=bool)
        for column, repeat in enumerate(repeats):
            half = draw_halves(condition[used], np.random.default_rng([seed, repeat]))
            first[used, column] = half == 0
        offset = n_groups * np.arange(len(repeats))
        groups = np.where(first, group[:, None] + offset, -1)
        sums = group_sums(X, groups, n_groups * len(repeats)).reshape(len(repeats), n_groups, -1)
        for column, part in enumerate(sums):
            n_first = np.bincount(condition[first[:, column]], minlength=n_conditions)
            rest = total - part
            yield observations.delta(part, n_first), observations.delta(rest, n_cells - n_first)
