import pytest
import torch
from torch_geometric.utils import is_undirected, softmax, to_dense_adj

from txpert.nn import GraphTensors
from txpert.nn import _edges as edges_module
from txpert.nn._edge_attention import EdgeAttention
from txpert.nn._edges import reachable
from txpert.nn._provenance import ProvenanceEdges, expander_edges


@pytest.fixture(params=[1, 16, 10_000])
def block_edges(monkeypatch, request):
    monkeypatch.setattr(edges_module, "_BLOCK_EDGES", request.param)


@pytest.fixture
def edges(random_graph):
    graphs = [random_graph(10, 20), random_graph(10, 20, seed=1)]
    return ProvenanceEdges(graphs, 12, n_cycles=2, seed=0)


@pytest.mark.usefixtures("block_edges")
def test_attention_is_the_formula(edges):
    edges = edges.double()
    layer = EdgeAttention(6, 2, edges.provenance.shape[1]).double()
    h = torch.randn(12, 6, dtype=torch.double)
    provenance = edges.provenance[edges.pattern]
    k, v = layer.key(h)[edges.source], layer.value(h)[edges.source]
    product = k * layer.query(h)[edges.target] * layer.feature(provenance)
    score = product.view(-1, 2, 3).sum(-1) / 3**0.5 + layer.bias(provenance)
    alpha = softmax(score, edges.target, num_nodes=12)
    expected = torch.zeros(12, 2, 3, dtype=torch.double).index_add(
        0, edges.target, alpha[:, :, None] * v.view(-1, 2, 3)
    )
    torch.testing.assert_close(layer(h, edges), expected.flatten(1))


@pytest.mark.usefixtures("block_edges")
def test_gradient_is_right_numerically(edges):
    edges = edges.double()
    layer = EdgeAttention(4, 2, edges.provenance.shape[1]).double()
    h = torch.randn(12, 4, dtype=torch.double, requires_grad=True)
    parameters = tuple(layer.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: layer(x, edges), (h, *parameters))


def test_attention_sums_to_one_per_destination(edges):
    layer = EdgeAttention(6, 2, edges.provenance.shape[1])
    torch.nn.init.zeros_(layer.value.weight)
    torch.nn.init.ones_(layer.value.bias)
    torch.testing.assert_close(layer(10 * torch.randn(12, 6), edges), torch.ones(12, 6))


def test_multi_hot_columns_match_the_graphs(random_graph):
    graphs = [random_graph(10, 20), random_graph(10, 20, seed=1)]
    edges = ProvenanceEdges(graphs, 12, n_cycles=1, seed=3)
    dense = [to_dense_adj(graph.edges, max_num_nodes=12)[0] for graph in graphs]
    given = (dense[0] + dense[1] > 0).float()
    expander = to_dense_adj(expander_edges(12, 1, 3), max_num_nodes=12)[0]
    expected = torch.stack([*dense, given.T, torch.eye(12), expander], dim=-1)
    found = torch.zeros(12, 12, 5)
    found[edges.source, edges.target] = edges.provenance[edges.pattern]
    assert torch.equal(found, expected)
    assert len(edges.source) == int((expected.sum(-1) > 0).sum())
    assert len(edges.provenance) == len(expected.view(-1, 5).unique(dim=0)) - 1  # no edge at all


def test_patterns_are_few(random_graph):
    graphs = [random_graph(500, 3_000), random_graph(500, 3_000, seed=1)]
    edges = ProvenanceEdges(graphs, 500, n_cycles=3, seed=0)
    assert len(edges.provenance) < 2**5
    assert edges.provenance.any(dim=1).all()


@pytest.mark.parametrize("n_nodes", [2, 3, 50])
def test_expander_is_connected_symmetric_and_without_repeats(n_nodes):
    edges = expander_edges(n_nodes)
    start = torch.arange(n_nodes) == 0
    assert reachable(start, *edges).all()
    assert is_undirected(edges)
    assert edges.unique(dim=1).shape == edges.shape
    assert (edges[0] != edges[1]).all()


def test_expander_has_two_edges_per_cycle_and_node():
    assert torch.equal(expander_edges(50, 1)[0].bincount(), torch.full((50,), 2))
    degree = expander_edges(500, 3)[0].bincount()
    assert degree.max() == 6
    assert degree.float().mean() > 5.9


def test_expander_without_nodes_to_link():
    assert expander_edges(1).shape == (2, 0)
    assert expander_edges(20, 0).shape == (2, 0)


def test_expander_follows_its_seed_alone():
    torch.manual_seed(0)
    first = expander_edges(50, seed=4)
    torch.manual_seed(1)
    assert torch.equal(first, expander_edges(50, seed=4))
    assert not torch.equal(first, expander_edges(50, seed=5))


def test_an_edge_that_several_sources_have_is_there_once():
    graph = GraphTensors(torch.tensor([[0, 1], [1, 0]]), torch.ones(2))
    edges = ProvenanceEdges([graph, graph], 2, n_cycles=3, seed=0)
    assert len(edges.source) == 4
    linked = edges.source != edges.target
    assert edges.provenance[edges.pattern][linked].tolist() == [[1, 1, 1, 0, 1]] * 2
