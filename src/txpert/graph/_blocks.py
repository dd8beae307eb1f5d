"""The strongest pairs of a similarity matrix that never exists as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from tqdm.auto import tqdm

from txpert._options import check_number, check_whole

from ._arrays import EdgeArrays, Weights, concatenate

Similarity = Callable[[slice, slice], Weights]
"""Gives the similarities of a range of rows to a range of columns as an array of its own."""

# Entries of one block: memory stays the same for any number of genes.
_BLOCK_ENTRIES = 2**23
_POSITIVE = np.nextafter(np.float32(0), np.float32(1))


def top_per_target(
    similarity: Similarity, n: int, *, k: int | None, threshold: float = 0.0
) -> EdgeArrays:
    """Keep the ``k`` strongest edges into each of ``n`` nodes, both directions considered.

    Only positive similarities of at least ``threshold`` count; ``k=None`` keeps them all.
    """
    check_whole("k", k, least=1, optional=True)
    check_number("threshold", threshold)
    parts = []
    for rows in _row_blocks(n):
        block = similarity(rows, slice(0, n))
        np.fill_diagonal(block[:, rows], 0)
        least = np.full((len(block), 1), max(np.float32(threshold), _POSITIVE))
        if k is not None and k < n:
            least[:, 0] = np.maximum(least[:, 0], np.partition(block, n - k, axis=1)[:, n - k])
        target, source = np.divmod(np.flatnonzero(block >= least), n)
        edges = EdgeArrays(source, target + rows.start, block[target, source])
        parts.append(edges if k is None else edges.top_k(k))
    return concatenate(parts)


def top_pairs(similarity: Similarity, n: int, *, number: int) -> EdgeArrays:
    """Keep the ``number`` strongest of all pairs of ``n`` nodes, as edges in both directions.

    Only positive similarities count. Of pairs that are equally strong the first in order of
    nodes are kept. At most a block more than twice ``number`` pairs are held at a time.
    """
    kept, floor = concatenate([]), np.float32(0)
    for rows in _row_blocks(n):
        block = similarity(rows, slice(rows.start, n))
        first, second = np.nonzero(np.triu(block > floor, k=1))
        new = EdgeArrays(first + rows.start, second + rows.start, block[first, second])
        kept = concatenate([kept, new])
        if len(kept.weight) > 2 * number or rows.stop == n:
            kept, floor = _strongest(kept, number, floor)
    return concatenate([kept, EdgeArrays(kept.target, kept.source, kept.weight)])


def _strongest(pairs: EdgeArrays, number: int, floor: np.float32) -> tuple[EdgeArrays, np.float32]:
    """Cut to ``number`` pairs, order kept; also say what later pairs must exceed."""
    surplus = len(pairs.weight) - number
    if surplus <= 0 or number == 0:
        return pairs.take(np.arange(min(number, len(pairs.weight)))), floor
    least = np.partition(pairs.weight, surplus)[surplus]
    keep = pairs.weight > least
    tied = np.flatnonzero(pairs.weight == least)
    keep[tied[: number - int(keep.sum())]] = True
    return pairs.take(keep), least


def _row_blocks(n: int) -> Iterator[slice]:
    step = max(1, _BLOCK_ENTRIES // max(n, 1))
    for start in tqdm(range(0, n, step), desc="similarities", unit="block", delay=5):
        yield slice(start, min(start + step, n))
