from itertools import pairwise

import pytest
import torch
from torch_geometric.nn import GATv2Conv

from txpert.nn import GATEncoder
from txpert.nn import _edges as edges_module
from txpert.nn._edges import TargetSortedEdges
from txpert.nn._gatv2 import GATv2Layer


def random_edges(n_nodes=40, n_edges=150, seed=0):
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(0, n_nodes, (2, n_edges), generator=generator).unique(dim=1)
    return edges[:, edges[0] != edges[1]]


def encoder(edges, n_nodes=40, **options):
    torch.manual_seed(0)
    options = {"n_layers": 2, "n_channels": 4, "n_input": 6, **options}
    return GATEncoder(edges if isinstance(edges, list) else [edges], n_nodes, 5, **options)


@pytest.mark.parametrize("block", [1, 16, 10_000])
def test_layer_and_its_gradient_agree_with_pyg(monkeypatch, block):
    monkeypatch.setattr(edges_module, "_BLOCK_EDGES", block)
    edges = random_edges()
    ours = GATv2Layer(6, 4, 3).double()
    theirs = GATv2Conv(6, 4, heads=3).double()
    theirs.lin_l.load_state_dict(ours.from_source.state_dict())
    theirs.lin_r.load_state_dict(ours.from_target.state_dict())
    theirs.att.data = ours.attention.data[None].clone()
    h = torch.randn(40, 6, dtype=torch.double, requires_grad=True)
    weight = torch.randn(40, 12, dtype=torch.double)

    def gradients(output, *parameters):
        return torch.autograd.grad((output * weight).sum(), [h, *parameters])

    mine, other = ours(h, TargetSortedEdges([edges], 40)), theirs(h, edges)
    torch.testing.assert_close(mine, other)
    for a, b in zip(
        gradients(mine, ours.attention, ours.from_source.weight, ours.from_target.weight),
        gradients(other, theirs.att, theirs.lin_l.weight, theirs.lin_r.weight),
        strict=True,
    ):
        torch.testing.assert_close(a, b.view_as(a))


def test_gradient_is_right_numerically():
    layer = GATv2Layer(3, 2, 2).double()
    edges = TargetSortedEdges([random_edges(6, 12)], 6)
    h = torch.randn(6, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer(x, edges), (h,))


def test_blocks_cover_all_nodes_and_edges_once(monkeypatch):
    monkeypatch.setattr(edges_module, "_BLOCK_EDGES", 7)
    edges = TargetSortedEdges([random_edges(), random_edges(seed=1)], 40)
    blocks = list(edges.blocks())
    assert len(blocks) > 5
    for part, size in ((0, 40), (1, len(edges.source))):
        bounds = [(block[part].start, block[part].stop) for block in blocks]
        assert bounds[0][0] == 0
        assert bounds[-1][1] == size
        assert all(a[1] == b[0] for a, b in pairwise(bounds))
    for nodes, incoming in blocks:
        assert set(edges.target[incoming].tolist()) == set(range(nodes.start, nodes.stop))


def test_edges_are_distinct_with_one_self_loop_each():
    loops = torch.tensor([[3, 3, 1], [3, 3, 2]])
    edges = TargetSortedEdges([loops, loops], 5)
    pairs = list(zip(edges.source.tolist(), edges.target.tolist(), strict=True))
    assert sorted(pairs) == sorted([(i, i) for i in range(5)] + [(1, 2)])


def test_renaming_the_nodes_renames_the_output():
    edges = random_edges()
    permutation = torch.randperm(40, generator=torch.Generator().manual_seed(2))
    original, renamed = encoder(edges).eval(), encoder(permutation[edges]).eval()
    renamed.load_state_dict(original.state_dict())
    renamed.nodes.data[permutation] = original.nodes.data
    torch.testing.assert_close(renamed()[permutation], original())


@pytest.mark.parametrize("changed", [0, 1])
def test_every_graph_can_change_the_output(changed):
    graphs = [random_edges(), random_edges(seed=1)]
    before = encoder(graphs).eval()()
    graphs[changed] = graphs[changed][:, 1:]
    after = encoder(graphs).eval()()
    assert (before - after).abs().max() > 1e-6


def test_direction_of_an_edge_matters():
    edge = torch.tensor([[0], [1]])
    alone = encoder(torch.empty(2, 0, dtype=torch.long), 2).eval()()
    forward, backward = (encoder(e, 2).eval()() for e in (edge, edge.flip(0)))
    torch.testing.assert_close(forward[0], alone[0])
    torch.testing.assert_close(backward[1], alone[1])
    assert (forward[1] - alone[1]).abs().max() > 1e-6
    assert (backward[0] - alone[0]).abs().max() > 1e-6


def test_gradients_reach_every_parameter_and_isolated_nodes_are_finite():
    model = encoder(random_edges(40, 20))
    output = model()
    assert output.shape == (40, 5)
    assert output.isfinite().all()
    output.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
