"""What single encoders make of graphs and weights."""

import math

import pytest
import torch
from scipy import sparse
from torch_geometric.nn import GCNConv, SGConv

from txpert._refined import refine_adjacency
from txpert.nn import GraphTensors, Nodes
from txpert.nn._bmp import BMPEncoder
from txpert.nn._gat_hybrid import GATHybridEncoder
from txpert.nn._gat_mlg import GATMLGEncoder, incoming_weights, supra_edges
from txpert.nn._gcn import GCNEncoder, SGCEncoder


def test_sgc_agrees_with_pyg(random_graph):
    graph = random_graph()
    ours, theirs = SGCEncoder([graph], Nodes(41), 5, n_input=6, n_hops=3), SGConv(6, 5, K=3)
    theirs.lin.load_state_dict(ours.project.state_dict())
    torch.testing.assert_close(ours(), theirs(ours.nodes(), graph.edges, graph.weight))


def test_gcn_agrees_with_pyg(random_graph):
    graph = random_graph()
    ours = GCNEncoder([graph], Nodes(41), 5, n_input=6, n_layers=2, n_hidden=7).eval()
    h = ours.nodes()
    for layer in ours.layers:
        theirs = GCNConv(layer.in_features, 7)
        theirs.lin.weight, theirs.bias = layer.weight, layer.bias
        h = torch.nn.functional.leaky_relu(theirs(h, graph.edges, graph.weight))
    torch.testing.assert_close(ours(), ours.project(h))


def test_sgc_takes_the_heaviest_of_repeated_edges(random_graph):
    graph = random_graph()
    lighter = GraphTensors(graph.edges, graph.weight / 2)
    a, b = SGCEncoder([graph], Nodes(41), 5), SGCEncoder([lighter, graph], Nodes(41), 5)
    torch.testing.assert_close(a.adjacency.to_dense(), b.adjacency.to_dense())


def test_hybrid_bmp_by_hand(random_graph):
    graphs = [random_graph(), random_graph(seed=1)]
    model = BMPEncoder(graphs, Nodes(41), 5, refined=False).eval()
    a = torch.zeros(41, 41)
    for graph in graphs:
        a[graph.edges[1], graph.edges[0]] = 1
    expected = model.mlp(a @ model.sources() + a.T @ model.targets())
    torch.testing.assert_close(model(), expected, atol=1e-5, rtol=1e-5)


def test_bmp_by_hand(random_graph):
    """Of refined edges, whose mean weight is that of a self-loop; sums keep the size of a row."""
    graphs = [random_graph(), random_graph(seed=1), random_graph()]
    features = torch.randn(41, 3, generator=torch.Generator().manual_seed(3))
    model = BMPEncoder(graphs, Nodes(41, features=(features,)), 5).eval()
    a = torch.zeros(41, 41)
    for graph in graphs:
        a[graph.edges[1], graph.edges[0]] += 1
    a = torch.from_numpy(refine_adjacency(sparse.csr_array(a.numpy())).toarray())
    a /= a[a > 0].mean()
    a.fill_diagonal_(1)
    into, out_of = (m / m.norm(dim=1, keepdim=True).clamp(min=1e-9) for m in (a, a.T))
    sums = into @ model.sources() + out_of @ model.targets() + model.own()
    torch.testing.assert_close(model(), model.mlp(sums), atol=1e-5, rtol=1e-5)


def test_hybrid_weighs_the_graphs_of_each_node(random_graph):
    """A query of zero takes their mean."""
    model = GATHybridEncoder(
        [random_graph(), random_graph(seed=1)], Nodes(41), 5, n_queries=1
    ).eval()
    torch.nn.init.zeros_(model.query)
    mean = torch.stack([tower() for tower in model.towers]).mean(0)
    torch.testing.assert_close(model(), model.mlp(mean))


def test_hybrid_knows_two_ways_to_combine(random_graph):
    with pytest.raises(ValueError, match="'attention' or 'concat'"):
        GATHybridEncoder([random_graph()], Nodes(41), 5, combine="sum")


def test_supra_graph_keeps_edges_and_joins_the_copies():
    empty = torch.empty(2, 0, dtype=torch.long)
    graphs = [GraphTensors(e, torch.ones(e.shape[1])) for e in (empty, torch.tensor([[0], [2]]))]
    edges = supra_edges([*graphs, graphs[0]], 3)
    copies = {
        (3 * g + i, 3 * h + i) for i in range(3) for g in range(3) for h in range(3) if g != h
    }
    pairs = list(map(tuple, edges.T.tolist()))
    assert set(pairs) == copies | {(3, 5)}
    assert len(pairs) == len(set(pairs))


def test_supra_graph_of_one_graph_is_the_graph(random_graph):
    graph = random_graph()
    assert torch.equal(supra_edges([graph], 41), graph.edges)


def test_incoming_weights_by_hand():
    graph = GraphTensors(torch.tensor([[0, 1], [2, 2]]), torch.tensor([0.2, 0.6]))
    described = incoming_weights(graph, 3)
    torch.testing.assert_close(described[2], torch.tensor([math.log(3), 0.4, 0.6]))
    assert not described[:2].any()


def test_mlg_uses_the_weights_of_the_reference(random_graph):
    graph = random_graph()
    outputs = []
    for weight in (graph.weight, graph.weight.flip(0)):
        torch.manual_seed(0)
        outputs.append(GATMLGEncoder([graph._replace(weight=weight)], Nodes(41), 5).eval()())
    assert (outputs[0] - outputs[1]).abs().max() > 1e-6


def test_mlg_needs_two_layers_for_several_graphs(random_graph):
    with pytest.raises(ValueError, match="n_layers of at least 2"):
        GATMLGEncoder([random_graph(), random_graph()], Nodes(41), 5, n_layers=1)
