from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from ._arrays import EdgeArrays

if TYPE_CHECKING:
    from ._knowledge_graph import KnowledgeGraph

_ADDED = np.float32(0.3)
"""What an added edge counts for beside a given one."""
_DECIMALS = 5
"""Likenesses that agree so far are equal, whatever order they were summed in."""
_BLOCK = 1_024
"""Nodes compared with all others at a time, which bounds the memory."""


def refine(graph: KnowledgeGraph) -> KnowledgeGraph:
    r"""Weigh edges by the neighbours that their ends share, and add edges where many are shared.

    .. math:: w_{ij} = c_{ij}\,\big(A_{ij} + 0.3\, B_{ij}\big), \qquad
              c_{ij} = \frac{\langle a_i, a_j \rangle}{\lVert a_i \rVert \lVert a_j \rVert}.

    :math:`A_{ij}` is 1 for an edge :math:`j \to i`, and :math:`a_i` is row i of A + I: the sources
    of i, and i itself. :math:`B_{ij}` is 1 if j is among the k nodes most like i by c, with k the
    mean number of edges into nodes that have any; nodes as like i as the next one after these are
    left out. The weights that the graph had are not used.

    Databases lack interactions and have wrong ones. Ends of a true edge tend to have neighbours
    in common, those of a wrong one by chance only (Goldberg and Roth 2003,
    doi 10.1073/pnas.0735871100), and pairs with many in common are often missing edges (Lü and
    Zhou 2011, doi 10.1016/j.physa.2010.11.027).
    """
    size = graph.n_nodes, graph.n_nodes
    ones = np.ones(graph.n_edges, dtype=np.float32)
    given = sparse.csr_array((ones, (graph.target, graph.source)), shape=size)
    found = refine_adjacency(given).tocoo()
    target, source = found.coords
    return graph.derive(EdgeArrays(source, target, found.data), "refine()")


def refine_adjacency(given: sparse.csr_array) -> sparse.csr_array:
    """Return the weights of :meth:`KnowledgeGraph.refine`.

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
        likeness = sparse.csr_array(unit[block] @ unit.T)
        likeness.setdiag(0, k=start)
        likeness.data = likeness.data.round(_DECIMALS)
        blocks.append(likeness * given[block] + _ADDED * _most_alike(likeness, k))
    return sparse.csr_array(sparse.vstack(blocks, format="csr"))


def _most_alike(likeness: sparse.csr_array, k: int) -> sparse.csr_array:
    """Keep the k largest entries of each row, without those no larger than the next one."""
    n_entries = np.diff(likeness.indptr)
    limit = np.zeros(len(n_entries), dtype=likeness.dtype)
    for row in np.flatnonzero(n_entries > k):
        entries = likeness.data[likeness.indptr[row] : likeness.indptr[row + 1]]
        limit[row] = np.partition(entries, len(entries) - k - 1)[len(entries) - k - 1]
    kept = likeness.copy()
    kept.data[kept.data <= np.repeat(limit, n_entries)] = 0
    kept.eliminate_zeros()
    return kept
