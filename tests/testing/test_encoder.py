"""Each way to break a rule for encoders is found; tests/nn checks the package's own."""

import pytest
import torch
from torch import nn

from txpert.nn._bmp import BMPEncoder
from txpert.nn._edges import join_edges
from txpert.testing import check_encoder


def test_classes_are_checked_too():
    check_encoder(BMPEncoder, options={"n_input": 6, "n_hidden": 7})


class Sound(nn.Module):
    """Mean of the sources; what the encoders below break is one thing each."""

    def __init__(self, graphs, nodes, n_latent):
        super().__init__()
        self.n, self.edges = nodes.n, join_edges(graphs)
        self.nodes = nodes.embedding(n_latent)

    def forward(self):
        h = self.nodes()
        source, target = self.edges
        degree = torch.bincount(target, minlength=self.n).clamp(min=1)[:, None]
        return h + torch.zeros_like(h).index_add_(0, target, h[source]) / degree


class Short(Sound):
    def forward(self):
        return super().forward()[:-1]


class NoIsolated(Sound):
    def forward(self):
        isolated = ~torch.isin(torch.arange(self.n), self.edges.flatten())
        return super().forward().masked_fill(isolated[:, None], torch.nan)


class NeedsEdges(Sound):
    def forward(self):
        return super().forward() / (self.edges.shape[1] > 0)


class NeedsGraphs(Sound):
    def __init__(self, graphs, nodes, n_latent):
        super().__init__(graphs, nodes, n_latent)
        self.first = graphs[0].edges


class Random(Sound):
    def forward(self):
        return super().forward() + torch.rand(1)


class Unused(Sound):
    def __init__(self, graphs, nodes, n_latent):
        super().__init__(graphs, nodes, n_latent)
        self.spare = nn.Linear(2, 2)


class Detached(Sound):
    def forward(self):
        return super().forward().detach()


class Forgetful(Sound):
    def __init__(self, graphs, nodes, n_latent):
        super().__init__(graphs, nodes, n_latent)
        self.scale = torch.rand(1)

    def forward(self):
        return super().forward() * self.scale


class FollowsOrder(Sound):
    def forward(self):
        return super().forward() + torch.arange(self.n)[:, None]


class WrongSome(Sound):
    def forward(self, wanted=None):
        return super().forward() if wanted is None else super().forward()[wanted.flip(0)]


class WrongPaths(Sound):
    def paths(self):
        return self.edges.T


class FirstGraphOnly(Sound):
    def __init__(self, graphs, nodes, n_latent):
        super().__init__(graphs[:1], nodes, n_latent)


def test_a_sound_encoder_keeps_the_rules():
    check_encoder(Sound)


@pytest.mark.parametrize(
    ("encoder", "rule"),
    [
        (Short, r"'shape': of 1 graph\(s\), forward\(\) returns \(42, 5\)"),
        (NoIsolated, "'finite': 6 nodes .*, the isolated ones among them"),
        (NeedsEdges, "'graphs without edges'"),
        (NeedsGraphs, "'no graphs': .* IndexError"),
        (Random, "'deterministic'"),
        (Unused, "'gradient': parameter 'spare.weight' is never used"),
        (Detached, "'gradient': no gradient"),
        (Forgetful, "'state_dict'"),
        (FollowsOrder, "'permutation'"),
        (WrongSome, "'wanted': .* of 3 nodes"),
        (WrongPaths, "'paths'"),
        (FirstGraphOnly, "'every graph': graph 2 of 2"),
    ],
)
def test_broken_rules_are_named(encoder, rule):
    with pytest.raises(AssertionError, match=f"Encoder {encoder.__name__} breaks the rule {rule}"):
        check_encoder(encoder)


def test_unions_do_not_tell_graphs_apart():
    with pytest.raises(AssertionError, match="rule 'multi_graph'"):
        check_encoder(Sound, multi_graph=True)


def test_unknown_names_and_options_are_refused():
    with pytest.raises(ValueError, match="no encoder 'gta'"):
        check_encoder("gta")
    with pytest.raises(ValueError, match="no option 'depth'"):
        check_encoder("gat", options={"depth": 2})
