"""The normalized adjacency of a graph without directions, D^-1/2 max(A, Aᵀ) D^-1/2."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from txpert._types import FloatArray

from ._interop import to_scipy
from ._knowledge_graph import KnowledgeGraph


def symmetrized(graph: KnowledgeGraph) -> tuple[sparse.csr_array, FloatArray]:
    """Return max(A, Aᵀ), shape ``(n_nodes, n_nodes)``, and the degrees of its nodes."""
    adjacency = to_scipy(graph).astype(np.float64)
    adjacency = adjacency.maximum(adjacency.T)
    return adjacency, adjacency.sum(axis=0)


def normalized(adjacency: sparse.csr_array, inverse_root: FloatArray) -> sparse.csr_array:
    """Scale both ends of edges.

    Parameters
    ----------
    adjacency
        Weights, shape ``(n_nodes, n_nodes)``.
    inverse_root
        D^-1/2, shape ``(n_nodes,)``. It is given, because sqrt(1 / d) and 1 / sqrt(d) differ in
        the last bit for a third of the degrees, and what was computed of one stays so.
    """
    scale = sparse.diags_array(inverse_root)
    return sparse.csr_array(scale @ adjacency @ scale)
