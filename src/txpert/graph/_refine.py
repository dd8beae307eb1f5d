from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from ._arrays import EdgeArrays, concatenate

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
    parts = []
    for start in range(0, len(n_sources), _BLOCK):
        block = slice(start, start + _BLOCK)
        likeness = unit[block] @ unit.T
        added = _most_alike(_edges(likeness, start), k)
        parts += [
            _edges(likeness * given[block], start),
            added._replace(weight=_ADDED * added.weight),
        ]
    edges = concatenate(parts)
    return sparse.csr_array((edges.weight, (edges.target, edges.source)), shape=given.shape)


def _edges(rows: sparse.sparray, start: int) -> EdgeArrays:
    """Return the entries off the diagonal, of rows whose first is number ``start``."""
    entries = rows.tocoo()
    target, source = (position.astype(np.int64) for position in entries.coords)
    edges = EdgeArrays(source, target + start, entries.data)
    return edges.take(edges.source != edges.target)


def _most_alike(edges: EdgeArrays, k: int) -> EdgeArrays:
    """Keep the k heaviest edges into each target, without those no heavier than the next one."""
    weight = edges.weight.round(_DECIMALS)
    order = np.lexsort((-weight, edges.target))
    target, weight = edges.target[order], weight[order]
    next_one = np.arange(len(target)) - np.searchsorted(target, target) == k
    limit = np.zeros(target.max(initial=0) + 1, dtype=weight.dtype)
    limit[target[next_one]] = weight[next_one]
    return edges.take(order[weight > limit[target]])
