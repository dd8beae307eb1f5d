import pytest
import torch

from txpert.nn import GraphTensors


@pytest.fixture
def random_graph():
    """Draw a graph without self-loops or repeated edges; nodes from ``n_linked`` on have none."""

    def draw(n_linked=37, n_edges=120, seed=0):
        generator = torch.Generator().manual_seed(seed)
        edges = torch.randint(0, n_linked, (2, n_edges), generator=generator).unique(dim=1)
        edges = edges[:, edges[0] != edges[1]]
        return GraphTensors(edges, torch.rand(edges.shape[1], generator=generator) + 0.1)

    return draw
