"""Refinement of graphs by the neighbors that the ends of an edge share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from scipy import sparse

from txpert._accelerator import n_threads
from txpert._computed import Arrays, computed
from txpert._fingerprint import fingerprint
from txpert._types import FloatArray, IntArray

_ADDED = np.float32(0.3)
"""Weight of an added edge relative to a given one."""
_DECIMALS = 5
"""Similarities are rounded to as many, so that the order of summation does not count."""
_BLOCK = 512
"""Nodes compared with all others at a time, which bounds the memory."""
_SAMPLED = 8
"""The largest of every eighth entry bound the largest of all: quicker than to order all."""
_MOST_THREADS = 4
"""So many blocks at once: up to 75 MB each."""
_MANY = 100_000
"""Edges from which on refined ones are kept on disk."""


def refine_adjacency(given: sparse.csr_array) -> sparse.csr_array:
    """Return the weights of :meth:`txpert.graph.KnowledgeGraph.refine`, kept on disk if many.

    Parameters
    ----------
    given
        A, target × source, with an empty diagonal; of several graphs, the number of those that
        have an edge.

    Returns
    -------
    w, target × source, made in as many threads as PyTorch has, up to four.
    """
    if given.nnz < _MANY:
        return _refined(given)

    def arrays() -> Arrays:
        found = _refined(given)
        return {"data": found.data, "indices": found.indices, "indptr": found.indptr}

    key = fingerprint(given.data, given.indices, given.indptr, given.shape)
    found = computed("refined", key, arrays)
    return sparse.csr_array((found["data"], found["indices"], found["indptr"]), given.shape)


def _refined(given: sparse.csr_array) -> sparse.csr_array:
    """Compute the weights."""
    n_sources = np.diff(given.indptr)
    if not n_sources.any():
        return given
    k = round(n_sources[n_sources > 0].mean())
    indices, ends = given.indices.astype(np.int32), given.indptr.astype(np.int32)
    given = sparse.csr_array((given.data, indices, ends), shape=given.shape)
    rows = given + sparse.eye_array(len(n_sources), dtype=np.float32)
    length = np.sqrt(rows.power(2).sum(axis=1))
    unit = sparse.csr_array(sparse.diags_array(1 / length) @ rows)
    others = sparse.csr_array(unit.T)

    def edges_into(start: int) -> sparse.csr_array:
        block = slice(start, start + _BLOCK)
        similarity = sparse.csr_array(unit[block] @ others)
        similarity.data = similarity.data.round(_DECIMALS)
        return _weights(similarity, given[block], start, k)

    with ThreadPoolExecutor(min(_MOST_THREADS, n_threads())) as pool:
        blocks = list(pool.map(edges_into, range(0, len(n_sources), _BLOCK)))
    return sparse.csr_array(sparse.vstack(blocks, format="csr"))


def _weights(
    similarity: sparse.csr_array, given: sparse.csr_array, start: int, k: int
) -> sparse.csr_array:
    """Return the weights of the edges into some nodes, from the node start on."""
    ends = pairwise(similarity.indptr.tolist())
    at = [first + _most_similar(similarity.data[first:last], k) for first, last in ends]
    row = np.repeat(np.arange(len(at)), [len(some) for some in at])
    kept = np.concatenate(at)
    column = similarity.indices[kept]
    other = column != row + start
    entries = _ADDED * similarity.data[kept][other], (row[other], column[other])
    added = sparse.csr_array(entries, shape=given.shape, dtype=np.float32)
    found = sparse.csr_array(similarity.multiply(given) + added)
    found.eliminate_zeros()
    found.sort_indices()
    return found


def _most_similar(entries: FloatArray, k: int) -> IntArray:
    """Return where the k nodes most similar to one are, and itself, to which it is by 1.

    Nodes that are no more similar than the one after them are left out.
    """
    after = -k - 2
    sampled = entries[::_SAMPLED]
    bound = np.partition(sampled, after)[after] if len(sampled) > k + 1 else np.float32(0)
    high = np.flatnonzero(entries >= bound)
    if len(high) <= k + 1:
        return high
    values = entries[high]
    return high[values > np.partition(values, after)[after]]
