from itertools import pairwise

import pytest
import torch
from torch_geometric.nn import GATv2Conv

from txpert.nn import _edges as edges_module
from txpert.nn._edges import TargetSortedEdges
from txpert.nn._gatv2 import GATv2Layer


def random_edges(n_nodes=40, n_edges=150, seed=0):
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(0, n_nodes, (2, n_edges), generator=generator).unique(dim=1)
    return edges[:, edges[0] != edges[1]]


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

    mine, other = ours(h, TargetSortedEdges(edges, 40).all()), theirs(h, edges)
    torch.testing.assert_close(mine, other)
    for a, b in zip(
        gradients(mine, ours.attention, ours.from_source.weight, ours.from_target.weight),
        gradients(other, theirs.att, theirs.lin_l.weight, theirs.lin_r.weight),
        strict=True,
    ):
        torch.testing.assert_close(a, b.view_as(a))


def test_gradient_is_right_numerically():
    layer = GATv2Layer(3, 2, 2, weighted=True).double()
    edges = random_edges(6, 12)
    log_weight = -torch.rand(edges.shape[1], dtype=torch.double)
    hop = TargetSortedEdges(edges, 6, log_weight).all()
    h = torch.randn(6, 3, dtype=torch.double, requires_grad=True)
    parameters = tuple(layer.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: layer(x, hop), (h, *parameters))


def test_weights_multiply_attention():
    """With an exponent of 1 a neighbor of twice the weight has twice the attention."""
    layer = GATv2Layer(1, 1, 1, weighted=True)
    for parameter in layer.parameters():
        torch.nn.init.zeros_(parameter)
    torch.nn.init.ones_(layer.from_source.weight)
    torch.nn.init.ones_(layer.exponent)
    edges, log_weight = torch.tensor([[0, 1], [2, 2]]), torch.tensor([1.0, 0.5]).log()
    h = torch.tensor([[3.0], [5.0], [7.0]])
    out = layer(h, TargetSortedEdges(edges, 3, log_weight).all())
    torch.testing.assert_close(out[2, 0], torch.tensor((3 + 0.5 * 5 + 7) / 2.5))


def test_hops_lead_back_to_all_that_matters():
    edges = TargetSortedEdges(torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]]), 5)
    first, second = edges.hops(torch.tensor([3]), 2)
    assert second.needed.tolist() == [2, 3]
    assert first.needed.tolist() == [1, 2, 3]
    assert second.own.tolist() == [1]
    assert edges.hops(None, 1)[0].needed is None


def test_blocks_cover_all_nodes_and_edges_once(monkeypatch):
    monkeypatch.setattr(edges_module, "_BLOCK_EDGES", 7)
    edges = TargetSortedEdges(torch.cat([random_edges(), random_edges(seed=1)], dim=1), 40)
    blocks = list(edges.all().blocks())
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
    edges = TargetSortedEdges(torch.cat([loops, loops], dim=1), 5)
    pairs = list(zip(edges.source.tolist(), edges.target.tolist(), strict=True))
    assert sorted(pairs) == sorted([(i, i) for i in range(5)] + [(1, 2)])
