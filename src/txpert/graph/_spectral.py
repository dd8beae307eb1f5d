"""Coordinates of genes on graphs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from txpert._computed import Arrays, computed
from txpert._fingerprint import fingerprint
from txpert._options import check_seed, check_whole
from txpert._types import FloatArray

from ._adjacency import normalized, symmetrized
from ._knowledge_graph import KnowledgeGraph
from ._several import Graphs, as_graphs, share_nodes

# Up to here all eigenvectors cost less than a second; beyond, only those asked for are sought, and
# kept on disk.
_DENSE_NODES = 1_000


def spectral_embedding(graphs: Graphs, n_components: int = 64, seed: int = 0) -> pd.DataFrame:
    r"""Give genes coordinates in which neighbors on graphs lie close together.

    The coordinates are the leading eigenvectors, each times its eigenvalue, of

    .. math:: S = \frac{1}{G} \sum_{g=1}^{G} D_g^{-1/2} A_g D_g^{-1/2}, \qquad
              A_g = \max(W_g, W_g^\top), \quad D_g = \operatorname{diag}(A_g \mathbf{1}),

    where :math:`W_g` holds the weights of graph g. So directions are ignored, and graphs count
    the same whatever the scale of their weights. Each connected part has eigenvectors of its
    own; the first, with eigenvalue 1 if there is one graph, has one sign throughout. A graph in
    very many parts therefore needs as many components before they tell anything within a part.

    Parameters
    ----------
    graphs
        One knowledge graph or several.
    n_components
        Number of coordinates, those of the largest eigenvalues.
    seed
        Seed of the vector that the iteration starts from.

    Returns
    -------
    Genes that have an edge × components, in order of falling eigenvalue. In each column the
    largest value in magnitude is positive. Isolated genes are left out.

    Raises
    ------
    ValueError
        If there are no graphs, or ``n_components`` is below 1 or exceeds the number of genes that
        have an edge.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.graph.spectral_embedding(tx.datasets.toy_graph(), n_components=8).shape
    (60, 8)
    """
    check_whole("n_components", n_components, least=1)
    check_seed(seed)
    given = as_graphs(graphs)
    if not given:
        raise ValueError("spectral_embedding takes at least one graph.")
    shared = share_nodes(given)
    matrix = sum(_normalized(graph) for graph in shared) / len(shared)
    linked = np.flatnonzero(matrix.sum(axis=0) > 0)
    if not 1 <= n_components <= len(linked):
        raise ValueError(
            f"n_components must lie between 1 and {len(linked):,}, the number of genes that have "
            f"an edge, not be {n_components}."
        )
    values, vectors = _kept(matrix[linked][:, linked], n_components, seed)
    coordinates = values * vectors
    peak = np.take_along_axis(coordinates, np.abs(coordinates).argmax(axis=0)[None], axis=0)
    return pd.DataFrame(
        np.where(peak < 0, -coordinates, coordinates), index=shared[0].nodes[linked]
    )


def _normalized(graph: KnowledgeGraph) -> sparse.csr_array:
    """Return the normalized adjacency of all nodes, isolated ones included."""
    adjacency, degree = symmetrized(graph)
    inverse = np.divide(1, degree, out=np.zeros_like(degree), where=degree > 0)
    return normalized(adjacency, np.sqrt(inverse))


def _kept(matrix: sparse.csr_array, number: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Return what :func:`_leading` does; of a large matrix it is kept on disk."""
    if matrix.shape[0] <= _DENSE_NODES:
        return _leading(matrix, number, seed)

    def arrays() -> Arrays:
        values, vectors = _leading(matrix, number, seed)
        return {"values": values, "vectors": vectors}

    key = fingerprint(matrix.data, matrix.indices, matrix.indptr, number, seed)
    found = computed("spectral", key, arrays)
    return found["values"], found["vectors"]


def _leading(matrix: sparse.csr_array, number: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Return the largest eigenvalues, falling, and their eigenvectors.

    Each connected part is treated alone, because iteration over the whole would miss some of the
    eigenvalues that parts have in common, and mix the parts' eigenvectors.
    """
    part = connected_components(matrix, directed=False)[1]
    order = np.argsort(part, kind="stable")
    found = []
    for members in np.split(order, np.flatnonzero(np.diff(part[order])) + 1):
        values, vectors = _eigenpairs(matrix[members][:, members], number, seed)
        found += [(value, members, vectors[:, i]) for i, value in enumerate(values)]
    # Rounded, so that equal eigenvalues keep the order of their parts.
    found.sort(key=lambda pair: -round(pair[0], 10))
    vectors = np.zeros((matrix.shape[0], number))
    for column, (_, members, vector) in enumerate(found[:number]):
        vectors[members, column] = vector
    return np.array([value for value, *_ in found[:number]]), vectors


def _eigenpairs(matrix: sparse.csr_array, number: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Return up to ``number`` of the largest eigenvalues of a connected part."""
    n = matrix.shape[0]
    if n <= _DENSE_NODES or number > n // 2:
        values, vectors = np.linalg.eigh(matrix.toarray())
    else:
        from scipy.sparse.linalg import eigsh

        start = np.random.default_rng(seed).standard_normal(n)
        values, vectors = eigsh(matrix, k=number, which="LA", v0=start)
    order = values.argsort()[::-1][:number]
    return values[order], vectors[:, order]
