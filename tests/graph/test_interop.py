import numpy as np
import pytest
from scipy import sparse

from txpert import graph as tg
from txpert.graph import KnowledgeGraph
from txpert.graph._joint import share_nodes

GRAPH = KnowledgeGraph("g", ["B", "A", "alone"], [0, 1], [1, 0], [0.5, 2], provenance=["by hand"])


def test_data_frame_and_back():
    again = KnowledgeGraph.from_edges(GRAPH.edges, name="g")
    assert again.edges.equals(GRAPH.restrict(["A", "B"]).edges.iloc[[1, 0]].reset_index(drop=True))


def test_scipy_and_back():
    matrix = tg.to_scipy(GRAPH)
    assert matrix[[0], [1]] == 0.5
    assert tg.from_scipy(matrix, GRAPH.nodes, name="g") == GRAPH
    assert tg.from_scipy(sparse.csc_matrix(matrix), GRAPH.nodes, name="g") == GRAPH
    assert tg.from_scipy(matrix.toarray(), GRAPH.nodes, name="g") == GRAPH
    with pytest.raises(ValueError, match="there are 2 nodes"):
        tg.from_scipy(matrix, ["A", "B"], name="g")


def test_networkx_and_back():
    nx = pytest.importorskip("networkx")
    other = tg.to_networkx(GRAPH)
    assert other["B"]["A"]["weight"] == 0.5
    assert "alone" in other
    again = tg.from_networkx(other)
    assert again == GRAPH
    assert again.provenance == GRAPH.provenance
    undirected = nx.Graph([("A", "B")])
    assert tg.from_networkx(undirected, name="u").n_edges == 2


def test_pyg_and_back():
    data = tg.to_pyg(GRAPH)
    assert data.edge_index.tolist() == [GRAPH.source.tolist(), GRAPH.target.tolist()]
    assert data.num_nodes == 3
    assert tg.from_pyg(data) == GRAPH
    data.edge_weight = None
    np.testing.assert_array_equal(tg.from_pyg(data).weight, [1, 1])
    del data.node_names
    with pytest.raises(ValueError, match="node_names"):
        tg.from_pyg(data)


def test_changing_pyg_weights_leaves_the_graph_alone():
    data = tg.to_pyg(GRAPH)
    data.edge_weight += 1
    data.edge_index += 1
    assert sorted(GRAPH.weight) == [0.5, 2]


def test_hetero_data_and_back():
    other = KnowledgeGraph("other", ["A", "C"], [0], [1], [3])
    data = tg.to_hetero([GRAPH, other])
    assert data["gene"].num_nodes == 4
    again = tg.from_hetero(data)
    assert again == share_nodes([GRAPH, other])
    del data["gene"].node_names
    with pytest.raises(ValueError, match="node_names"):
        tg.from_hetero(data)
