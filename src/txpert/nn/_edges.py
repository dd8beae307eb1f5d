from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric.utils import add_remaining_self_loops, coalesce

_BLOCK_EDGES = 1_024
"""Edges worked on at once on a CPU: their features stay in its cache."""


class GraphTensors(NamedTuple):
    """A graph over the nodes, as the encoders take it.

    Parameters
    ----------
    edges
        Positions of the sources in the first row and of the targets in the second,
        ``(2, n_edges)``.
    weight
        Weights of the edges, not negative, ``(n_edges,)``.
    """

    edges: Tensor
    weight: Tensor


def join_edges(graphs: Sequence[GraphTensors]) -> Tensor:
    """Return the edges of all graphs, ``(2, n_edges)``, repeats included."""
    none = torch.empty(2, 0, dtype=torch.long)
    return torch.cat([*(graph.edges for graph in graphs), none], dim=1)


def both_ways(edges: Tensor) -> Tensor:
    """Return edges and their reverses, ``(2, 2 * n_edges)``."""
    return torch.cat([edges, edges.flip(0)], dim=1)


def adjacency(edges: Tensor, weight: Tensor, n_nodes: int) -> Tensor:
    """Return the sparse matrix that sums what comes in, target × source."""
    size = (n_nodes, n_nodes)
    return torch.sparse_coo_tensor(edges.flip(0), weight, size, check_invariants=True).coalesce()


def require_graphs(graphs: Sequence[GraphTensors], encoder: str) -> None:
    """Raise a ValueError if there is no graph."""
    if not graphs:
        raise ValueError(
            f"Encoder {encoder!r} needs at least one graph: pass graphs=[...], or take "
            "encoder='none', which learns free embeddings."
        )


def reachable(start: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Return the starting nodes and all nodes that a path along the edges leads to.

    Parameters
    ----------
    start
        Whether a node is a starting node, ``(n_nodes,)``.
    source, target
        Ends of the edges, ``(n_edges,)``.
    """
    reached = start.clone()
    while not reached[frontier := target[reached[source]]].all():
        reached[frontier] = True
    return reached


class TargetSortedEdges(nn.Module):
    """Distinct edges, sorted by target and then source, with a self-loop at every node.

    Parameters
    ----------
    edges
        Sources in the first row and targets in the second, ``(2, n_edges)``.
    n_nodes
        Number of nodes.
    """

    source: Tensor
    target: Tensor

    def __init__(self, edges: Tensor, n_nodes: int) -> None:
        super().__init__()
        edges, _ = add_remaining_self_loops(edges, num_nodes=n_nodes)
        source, target = coalesce(edges, sort_by_row=False)
        self.n_nodes = n_nodes
        self.register_buffer("source", source, persistent=False)
        self.register_buffer("target", target, persistent=False)
        self._bounds = _block_bounds(target, n_nodes)

    def blocks(self) -> Iterator[tuple[slice, slice]]:
        """Yield the nodes and the incoming edges of one block after another.

        On an accelerator everything is one block.
        """
        if self.source.device.type != "cpu":
            yield slice(0, self.n_nodes), slice(0, len(self.source))
            return
        yield from self._bounds


def _block_bounds(target: Tensor, n_nodes: int) -> list[tuple[slice, slice]]:
    """Cut the nodes so that each block has about the same number of incoming edges."""
    first_edge = torch.searchsorted(target, torch.arange(n_nodes + 1))
    wanted = torch.arange(0, len(target) + _BLOCK_EDGES, _BLOCK_EDGES)
    cuts = torch.searchsorted(first_edge, wanted).clamp(max=n_nodes).unique().tolist()
    edge = first_edge.tolist()
    return [(slice(a, b), slice(edge[a], edge[b])) for a, b in pairwise(cuts)]
