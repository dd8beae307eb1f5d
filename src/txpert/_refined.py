"""Refinement of graphs by the neighbors that the ends of an edge share."""

from __future__ import annotations

import numpy as np
from scipy import sparse

_ADDED = np.float32(0.3)
"""Weight of an added edge relative to a given one."""
_DECIMALS = 5
"""Similarities are rounded to as many, so that the order of summation does not count."""
_BLOCK = 1_024
"""Nodes compared with all others at a time, which bounds the memory."""


def refine_adjacency(given: sparse.csr_array) -> sparse.csr_array:
    """Return the weights of :meth:`txpert.graph.KnowledgeGraph.refine`.

    Parameters
    ----------
    given
        A, target × source, with an empty diagonal; of several graphs, the number of those that
        have an edge.

    Returns
    -------
    w, target × source.
    """
    n_sources = np.diff(given.indptr)
    if not n_sources.any():
        return given
    k = round(n_sources[n_sources > 0].mean())
    rows = given + sparse.eye_array(len(n_sources), dtype=np.float32)
    length = np.sqrt(rows.power(2).sum(axis=1))
    unit = sparse.csr_array(sparse.diags_array(1 / length) @ rows)
    blocks = []
    for start in range(0, len(n_sources), _BLOCK):
        block = slice(start, start + _BLOCK)
        similarity = sparse.csr_array(unit[block] @ unit.T)
        similarity.setdiag(0, k=start)
        similarity.data = similarity.data.round(_DECIMALS)
        blocks.append(similarity * given[block] + _ADDED * _most_similar(similarity, k))
    return sparse.csr_array(sparse.vstack(blocks, format="csr"))


def _most_similar(similarity: sparse.csr_array, k: int) -> sparse.csr_array:
    """Keep the k largest entries of each row, without those no larger than the next one."""
    n_entries = np.diff(similarity.indptr)
    limit = np.zeros(len(n_entries), dtype=similarity.dtype)
    for row in np.flatnonzero(n_entries > k):
        entries = similarity.data[similarity.indptr[row] : similarity.indptr[row + 1]]
        limit[row] = np.partition(entries, len(entries) - k - 1)[len(entries) - k - 1]
    kept = similarity.copy()
    kept.data[kept.data <= np.repeat(limit, n_entries)] = 0
    kept.eliminate_zeros()
    return kept
