"""Knowledge graphs from and to what other packages use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from txpert._options import check_names

from ._joint import share_nodes
from ._knowledge_graph import KnowledgeGraph
from ._reports import named

if TYPE_CHECKING:
    import networkx as nx
    from torch_geometric.data import Data, HeteroData


def to_scipy(graph: KnowledgeGraph) -> sparse.csr_array:
    """Return the adjacency matrix: sources in rows, targets in columns, weights as entries.

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

    Raises
    ------
    ValueError
        If the matrix is not square over ``nodes``, or a weight is not allowed.

    Examples
    --------
    >>> import numpy as np
    >>> import txpert as tx
    >>> weights = np.array([[0.0, 0.5], [0.0, 0.0]])
    >>> tx.graph.from_scipy(weights, ["A", "B"], name="mine").edges.to_numpy().tolist()
    [['A', 'B', 0.5]]
    """
    names = check_names("nodes", nodes)
    if not np.issubdtype(getattr(adjacency, "dtype", np.float64), np.number):
        raise ValueError(f"The matrix holds {adjacency.dtype}, but weights are numbers.")
    matrix = sparse.coo_array(adjacency)
    if matrix.shape != (len(names), len(names)):
        raise ValueError(f"The matrix has shape {matrix.shape}, but there are {len(names)} nodes.")
    return KnowledgeGraph(
        name, names, matrix.row, matrix.col, matrix.data, provenance=["from_scipy()"]
    )


def to_networkx(graph: KnowledgeGraph) -> nx.DiGraph:
    """Return a networkx graph with the edge attribute ``weight``; needs networkx.

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

    Examples
    --------
    >>> import networkx as nx
    >>> import txpert as tx
    >>> tx.graph.from_networkx(nx.DiGraph([("A", "B")]), name="mine").n_edges
    1
    """
    directed = graph.to_directed()
    position = {node: i for i, node in enumerate(graph.nodes)}
    edges = list(directed.edges(data=weight, default=1.0))
    source = np.array([position[edge[0]] for edge in edges], dtype=np.int64)
    target = np.array([position[edge[1]] for edge in edges], dtype=np.int64)
    values = np.array([edge[2] for edge in edges], dtype=np.float32)
    history = graph.graph.get("provenance", ["from_networkx()"])
    return KnowledgeGraph(
        name or graph.graph.get("name") or "networkx",
        [str(node) for node in graph.nodes],
        source,
        target,
        values,
        provenance=history,
        learned_from=graph.graph.get("learned_from", ()),
    )


def to_pyg(graph: KnowledgeGraph) -> Data:
    """Return a PyG graph: ``edge_index``, ``edge_weight``, ``num_nodes`` and ``node_names``.

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
    )


def from_pyg(data: Data, *, name: str | None = None) -> KnowledgeGraph:
    """Build a graph from a PyG one that has ``node_names``; without weights, edges weigh 1.

    Raises
    ------
    ValueError
        If there are no ``node_names``.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.graph.from_pyg(tx.graph.to_pyg(tx.datasets.toy_graph())).n_edges
    287
    """
    if "node_names" not in data:
        raise ValueError("The PyG graph needs node_names, a list of gene symbols.")
    source, target = data.edge_index.cpu().numpy()
    weight = np.ones(len(source), dtype=np.float32)
    if data.get("edge_weight") is not None:
        weight = data.edge_weight.cpu().numpy()
    return KnowledgeGraph(
        name or data.get("name") or "pyg",
        data.node_names,
        source,
        target,
        weight,
        provenance=["from_pyg()"],
    )


def to_hetero(graphs: Sequence[KnowledgeGraph]) -> HeteroData:
    """Return one PyG graph with the node type ``gene`` and an edge type per graph.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.graph.to_hetero([tx.datasets.toy_graph()]).edge_types
    [('gene', 'toy', 'gene')]
    """
    import torch
    from torch_geometric.data import HeteroData

    result = HeteroData()
    names = list(named(graphs))
    aligned = share_nodes(graphs)
    result["gene"].num_nodes = aligned[0].n_nodes
    result["gene"].node_names = aligned[0].nodes.tolist()
    for name, graph in zip(names, aligned, strict=True):
        store = result["gene", name, "gene"]
        store.edge_index = torch.from_numpy(np.stack([graph.source, graph.target]))
        store.edge_weight = torch.from_numpy(graph.weight.copy())
    return result


def from_hetero(data: HeteroData) -> list[KnowledgeGraph]:
    """Build a graph per edge type between nodes of the type ``gene``, named after it.

    Raises
    ------
    ValueError
        If the nodes have no ``node_names``.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.graph.from_hetero(tx.graph.to_hetero([tx.datasets.toy_graph()]))
    [KnowledgeGraph 'toy': 60 nodes, 287 edges]
    """
    if "node_names" not in data["gene"]:
        raise ValueError('data["gene"] needs node_names, a list of gene symbols.')
    graphs = []
    for first, name, second in data.edge_types:
        if first == second == "gene":
            store = data[first, name, second]
            source, target = store.edge_index.cpu().numpy()
            weight = np.ones(len(source), dtype=np.float32)
            if store.get("edge_weight") is not None:
                weight = store.edge_weight.cpu().numpy()
            graphs.append(
                KnowledgeGraph(
                    name,
                    data["gene"].node_names,
                    source,
                    target,
                    weight,
                    provenance=["from_hetero()"],
                )
            )
    return graphs
