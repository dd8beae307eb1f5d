import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from torch_geometric.data import Data

import txpert as tx
from txpert import graph as tg
from txpert.graph import KnowledgeGraph
from txpert.graph._several import share_nodes

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


def test_what_a_graph_was_learned_from_is_kept_on_every_way_back():
    learned = KnowledgeGraph("g", ["A", "B"], [0], [1], [1], ["from_screen()"], ["K562|A"])
    for again in (
        tg.from_pyg(tg.to_pyg(learned)),
        *tg.from_hetero(tg.to_hetero(learned)),
        tg.from_networkx(tg.to_networkx(learned)),
    ):
        assert again.learned_from == ("K562|A",)
        assert again.provenance[0] == "from_screen()"


def test_a_leak_is_found_in_a_graph_that_comes_from_pyg():
    adata = tx.datasets.toy()
    tx.pp.split(adata, seed=0)
    table = tx.pp.pseudobulk(adata)
    seen = tg.from_screen(table[table.obs["split"] == "train"], top_fraction=0.1)
    tx.pp.split(adata, seed=1)
    for graph in (seen, tg.from_pyg(tg.to_pyg(seen)), *tg.from_hetero(tg.to_hetero(seen))):
        found = tx.pp.check_split(adata, graphs=graph)
        assert "graph_from_held_out" in found["kind"].tolist()


def test_pyg_weights_may_be_edge_attr_or_learned():
    index = torch.tensor([[0, 1], [1, 0]])
    attr = torch.tensor([[0.5], [2.0]])
    data = Data(node_names=["B", "A"], edge_index=index, edge_attr=attr)
    assert tg.from_pyg(data, name="g").edges["weight"].tolist() == [2, 0.5]
    data.edge_weight = torch.tensor([3.0, 4.0], requires_grad=True)
    assert tg.from_pyg(data).edges["weight"].tolist() == [4, 3]
    several = Data(node_names=["B", "A"], edge_index=index, edge_attr=torch.ones(2, 3) / 2)
    assert tg.from_pyg(several).weight.tolist() == [1, 1]


def test_repeated_entries_are_summed_in_any_sparse_format():
    twice = sparse.coo_array(([1.0, 1.0], ([0, 0], [1, 1])), shape=(2, 2))
    for matrix in (twice, twice.tocsr(), twice.tocsc(), twice.toarray()):
        assert tg.from_scipy(matrix, ["A", "B"], name="g").weight.tolist() == [2]
    assert twice.nnz == 2


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: tg.from_pyg(Data(node_names=["A"])), ValueError, "needs edge_index"),
        (lambda: tg.from_pyg(None), TypeError, "PyG graph, not NoneType"),
        (lambda: tg.from_hetero(None), TypeError, "heterogeneous PyG graph, not NoneType"),
        (lambda: tg.from_scipy(None, ["A"], name="g"), TypeError, "an array, not None"),
        (lambda: tg.from_scipy([[1j]], ["A"], name="g"), ValueError, "complex weights"),
        (lambda: tg.from_networkx(pd.DataFrame()), TypeError, "not DataFrame"),
    ],
)
def test_what_is_no_graph_of_another_package_is_named(build, error, message):
    with pytest.raises(error, match=message):
        build()
