"""Refinement of graphs by the neighbors that the ends of an edge share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise

import numpy as np
from scipy import sparse

from txpert._accelerator import n_threads
from txpert._types import FloatArray, IntArray

_ADDED = np.float32(0.3)
"""Weight of an added edge relative to a given one."""
_DECIMALS = 5
"""Similarities are rounded to as many, so that the order of summation does not count."""
_BLOCK = 1_024
"""Nodes compared with all others at a time, which bounds the memory."""
_MOST_THREADS = 4
"""So many blocks at once: up to 150 MB each."""


def refine_adjacency(given: sparse.csr_array) -> sparse.csr_array:
    """Return the weights of :meth:`txpert.graph.KnowledgeGraph.refine`.

    Parameters
    ----------
    given
        A, target × source, with an empty diagonal; of several graphs, the number of those that
        have an edge.

    Returns
    -------
    w, target × source, made in as many threads as PyTorch has, up to four.
    """
    n_sources = np.diff(given.indptr)
    if not n_sources.any():
        return given
    k = round(n_sources[n_sources > 0].mean())
    rows = given + sparse.eye_array(len(n_sources), dtype=np.float32)
    length = np.sqrt(rows.power(2).sum(axis=1))
    unit = sparse.csr_array(sparse.diags_array(1 / length) @ rows)
    others = sparse.csr_array(unit.T)

    def edges_into(start: int) -> list[tuple[IntArray, FloatArray]]:
        block = slice(start, start + _BLOCK)
        similarity = sparse.csr_array(unit[block] @ others)
        similarity.data = similarity.data.round(_DECIMALS)
        return _weights(similarity, given[block], start, k)

    with ThreadPoolExecutor(min(_MOST_THREADS, n_threads())) as pool:
        blocks = pool.map(edges_into, range(0, len(n_sources), _BLOCK))
        found = list(chain.from_iterable(blocks))
    column, weight = (np.concatenate(parts) for parts in zip(*found, strict=True))
    ends = np.cumsum([0, *(len(columns) for columns, _ in found)])
    return sparse.csr_array((weight, column, ends), shape=given.shape)


def _weights(
    similarity: sparse.csr_array, given: sparse.csr_array, start: int, k: int
) -> list[tuple[IntArray, FloatArray]]:
    """Return the sources and the weights of the edges into some nodes, from the node start on.

    Row by row in a dense vector: a row's similarities to most nodes need not be sorted for that.
    """
    found: list[tuple[IntArray, FloatArray]] = []
    whole = np.zeros(given.shape[1], dtype=np.float32)
    ends = zip(pairwise(similarity.indptr), pairwise(given.indptr), strict=True)
    for node, ((a, b), (c, d)) in enumerate(ends, start):
        column, entries, source = similarity.indices[a:b], similarity.data[a:b], given.indices[c:d]
        whole[column] = entries
        whole[node] = 0
        entries[column == node] = 0
        kept = whole[source] * given.data[c:d]
        whole[column] = 0
        similar = _most_similar(entries, k)
        whole[column[similar]] = _ADDED * entries[similar]
        whole[source] += kept
        columns = np.flatnonzero(whole != 0)
        found.append((columns, whole[columns]))
        whole[columns] = 0
    return found


def _most_similar(entries: FloatArray, k: int) -> IntArray:
    """Return where the k largest entries are, without those no larger than the next one."""
    limit = 0 if len(entries) <= k else np.partition(entries, -k - 1)[-k - 1]
    return np.flatnonzero(entries > limit)
