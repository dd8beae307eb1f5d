"""Knowledge graphs from and to what other packages use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from txpert._options import check_names

from ._arrays import EdgeArrays
from ._knowledge_graph import KnowledgeGraph
from ._several import Graphs, as_graphs, named, share_nodes

if TYPE_CHECKING:
    import networkx as nx
    from torch_geometric.data import Data, HeteroData


def to_scipy(graph: KnowledgeGraph) -> sparse.csr_array:
    """Return the adjacency matrix: sources in rows, targets in columns, weights as entries.

    Parameters
    ----------
    graph
        A knowledge graph.

    Returns
    -------
    Weights, ``float32``, shape ``(n_nodes, n_nodes)``, in the order of ``graph.nodes``. It may be
    written into; the graph stays as it is.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.graph.to_scipy(tx.datasets.toy_graph()).shape
    (60, 60)
    """
    return sparse.csr_array(
        (graph.weight, (graph.source, graph.target)), shape=(graph.n_nodes, graph.n_nodes)
    )


def from_scipy(adjacency: Any, nodes: Iterable[str], *, name: str) -> KnowledgeGraph:
    """Build a graph from a square sparse matrix or array, sources in rows and targets in columns.

    Parameters
    ----------
    adjacency
        Weights, shape ``(n_nodes, n_nodes)``; zeros are no edges. Repeated entries of a sparse
        matrix are summed.
    nodes
        Gene symbols of rows and columns.
    name
        Name of the graph.

    Returns
    -------
    A graph of all ``nodes``, with an edge from row to column per entry.

    Raises
    ------
    ValueError
        If the matrix is not square over ``nodes``, or a weight is not allowed.
    TypeError
        If it is no matrix.

    Examples
    --------
    >>> import numpy as np
    >>> import txpert as tx
    >>> weights = np.array([[0.0, 0.5], [0.0, 0.0]])
    >>> tx.graph.from_scipy(weights, ["A", "B"], name="mine").edges.to_numpy().tolist()
    [['A', 'B', 0.5]]
    """
    names = check_names("nodes", nodes)
    if not sparse.issparse(adjacency) and np.ndim(adjacency) == 0:
        raise TypeError(f"adjacency is a sparse matrix or an array, not {adjacency!r}.")
    if not np.issubdtype(getattr(adjacency, "dtype", np.float64), np.number):
        raise ValueError(f"The matrix holds {adjacency.dtype}, but weights are numbers.")
    matrix = sparse.coo_array(adjacency, copy=True)
    if matrix.shape != (len(names), len(names)):
        raise ValueError(f"The matrix has shape {matrix.shape}, but there are {len(names)} nodes.")
    matrix.sum_duplicates()
    return KnowledgeGraph(
        name, names, matrix.row, matrix.col, matrix.data, provenance=["from_scipy()"]
    )


def to_networkx(graph: KnowledgeGraph) -> nx.DiGraph:
    """Return a networkx graph with the edge attribute ``weight``; needs networkx.

    Parameters
    ----------
    graph
        A knowledge graph.

    Returns
    -------
    A directed graph of gene symbols, which keeps ``name``, ``provenance`` and ``learned_from``.

    Raises
    ------
    ImportError
        If networkx is not installed.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.graph.to_networkx(tx.datasets.toy_graph()).number_of_edges()
    287
    """
    import networkx as nx

    result = nx.DiGraph(
        name=graph.name,
        provenance=list(graph.provenance),
        learned_from=list(graph.learned_from),
    )
    result.add_nodes_from(graph.nodes)
    result.add_weighted_edges_from(graph.edges.itertuples(index=False, name=None))
    return result


def from_networkx(
    graph: nx.Graph, *, name: str | None = None, weight: str = "weight"
) -> KnowledgeGraph:
    """Build a graph from a networkx one; an undirected edge stands for both directions.

    Parameters
    ----------
    graph
        Any networkx graph; its nodes become strings.
    name
        Name of the graph; by default the networkx graph's own.
    weight
        Edge attribute with the weight; edges without it weigh 1.

    Returns
    -------
    A graph of all nodes; of parallel edges the heaviest is kept.

    Raises
    ------
    ValueError
        If a weight is not allowed.
    TypeError
        If it is no networkx graph.

    Examples
    --------
    >>> import networkx as nx
    >>> import txpert as tx
    >>> tx.graph.from_networkx(nx.DiGraph([("A", "B")]), name="mine").n_edges
    1
    """
    if not hasattr(graph, "to_directed"):
        raise TypeError(f"graph is a networkx graph, not {type(graph).__name__}.")
    directed = graph.to_directed()
    position = {node: i for i, node in enumerate(graph.nodes)}
    edges = list(directed.edges(data=weight, default=1.0))
    source = np.array([position[edge[0]] for edge in edges], dtype=np.int64)
    target = np.array([position[edge[1]] for edge in edges], dtype=np.int64)
    values = np.array([edge[2] for edge in edges], dtype=np.float32)
    return KnowledgeGraph(
        name or graph.graph.get("name") or "networkx",
        [str(node) for node in graph.nodes],
        source,
        target,
        values,
        *_origin(graph.graph, "from_networkx()"),
    )


def to_pyg(graph: KnowledgeGraph) -> Data:
    """Return a PyG graph: ``edge_index``, ``edge_weight``, ``num_nodes`` and ``node_names``.

    Parameters
    ----------
    graph
        A knowledge graph.

    Returns
    -------
    ``edge_index``, shape ``(2, n_edges)``, ``edge_weight``, shape ``(n_edges,)``, and the graph's
    ``name``, ``provenance`` and ``learned_from``.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.graph.to_pyg(tx.datasets.toy_graph()).num_nodes
    60
    """
    import torch
    from torch_geometric.data import Data

    return Data(
        edge_index=torch.from_numpy(np.stack([graph.source, graph.target])),
        edge_weight=torch.from_numpy(graph.weight.copy()),
        num_nodes=graph.n_nodes,
        node_names=graph.nodes.tolist(),
        name=graph.name,
        provenance=list(graph.provenance),
        learned_from=list(graph.learned_from),
    )


def from_pyg(data: Data, *, name: str | None = None) -> KnowledgeGraph:
    """Build a graph from a PyG one that has ``node_names``.

    Parameters
    ----------
    data
        A PyG graph. Weights are its ``edge_weight``, else an ``edge_attr`` of one column, else 1.
    name
        Name of the graph; by default the PyG graph's own.

    Returns
    -------
    A graph of the nodes in ``node_names``.

    Raises
    ------
    ValueError
        If there are no ``node_names`` or no ``edge_index``, or a weight is not allowed.
    TypeError
        If it is no PyG graph.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.graph.from_pyg(tx.graph.to_pyg(tx.datasets.toy_graph())).n_edges
    287
    """
    if not hasattr(data, "edge_index"):
        raise TypeError(f"data is a PyG graph, not {type(data).__name__}.")
    if "node_names" not in data:
        raise ValueError("The PyG graph needs node_names, a list of gene symbols.")
    return KnowledgeGraph(
        name or data.get("name") or "pyg",
        data.node_names,
        *_pyg_edges(data),
        *_origin(data, "from_pyg()"),
    )


def to_hetero(graphs: Graphs) -> HeteroData:
    """Return one PyG graph with the node type ``gene`` and an edge type per graph.

    Parameters
    ----------
    graphs
        One knowledge graph or several, with names of their own.

    Returns
    -------
    Nodes are the genes of any of the graphs, sorted. Edge types are
    ``("gene", graph.name, "gene")``, with ``edge_index``, ``edge_weight``, ``provenance`` and
    ``learned_from``.

    Raises
    ------
    ValueError
        If there are no graphs or two share a name.
    TypeError
        If something is no graph.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.graph.to_hetero([tx.datasets.toy_graph()]).edge_types
    [('gene', 'toy', 'gene')]
    """
    import torch
    from torch_geometric.data import HeteroData

    graphs = as_graphs(graphs)
    result = HeteroData()
    names = list(named(graphs))
    aligned = share_nodes(graphs)
    result["gene"].num_nodes = aligned[0].n_nodes
    result["gene"].node_names = aligned[0].nodes.tolist()
    for name, graph in zip(names, aligned, strict=True):
        store = result["gene", name, "gene"]
        store.edge_index = torch.from_numpy(np.stack([graph.source, graph.target]))
        store.edge_weight = torch.from_numpy(graph.weight.copy())
        store.provenance = list(graph.provenance)
        store.learned_from = list(graph.learned_from)
    return result


def from_hetero(data: HeteroData) -> list[KnowledgeGraph]:
    """Build a graph per edge type between nodes of the type ``gene``, named after it.

    Parameters
    ----------
    data
        A heterogeneous PyG graph; weights are read as by :func:`from_pyg`.

    Returns
    -------
    Graphs in the order of the edge types; those of other nodes are left out.

    Raises
    ------
    ValueError
        If the nodes have no ``node_names``, an edge type has no ``edge_index``, or a weight is not
        allowed.
    TypeError
        If it is no heterogeneous PyG graph.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.graph.from_hetero(tx.graph.to_hetero([tx.datasets.toy_graph()]))
    [KnowledgeGraph 'toy': 60 nodes, 287 edges]
    """
    if not hasattr(data, "edge_types"):
        raise TypeError(f"data is a heterogeneous PyG graph, not {type(data).__name__}.")
    if "node_names" not in data["gene"]:
        raise ValueError('data["gene"] needs node_names, a list of gene symbols.')
    graphs = []
    for first, name, second in data.edge_types:
        if first == second == "gene":
            store = data[first, name, second]
            origin = _origin(store, "from_hetero()")
            graphs.append(
                KnowledgeGraph(name, data["gene"].node_names, *_pyg_edges(store), *origin)
            )
    return graphs


def _pyg_edges(store: Any) -> EdgeArrays:
    """Return the edges of a PyG graph or of one of its edge types."""
    index = store.get("edge_index")
    if index is None:
        raise ValueError("The PyG graph needs edge_index, the positions of sources and targets.")
    source, target = index.cpu().numpy()
    weight, attributes = store.get("edge_weight"), store.get("edge_attr")
    if weight is None and attributes is not None and attributes.numel() == len(source):
        weight = attributes.flatten()
    if weight is None:
        return EdgeArrays(source, target, np.ones(len(source), dtype=np.float32))
    return EdgeArrays(source, target, weight.detach().cpu().numpy())


def _origin(stored: Any, step: str) -> list[Iterable[str]]:
    """Return the provenance, by default this step, and what a graph was learned from."""
    kept = [stored.get("provenance", [step]), stored.get("learned_from", [])]
    return [[part] if isinstance(part, str) else part for part in kept]
