from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch_geometric.utils import add_remaining_self_loops, coalesce

_BLOCK_EDGES = 1_024
"""Edges worked on at once on a CPU: their features stay in its cache."""


def join_edges(edge_indices: Sequence[Tensor]) -> Tensor:
    """Return the edges of all graphs, ``(2, n_edges)``, repeats included."""
    return torch.cat([*edge_indices, torch.empty(2, 0, dtype=torch.long)], dim=1)


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
    """Distinct edges of one or more graphs, sorted by target, with a self-loop at every node.

    Parameters
    ----------
    edge_indices
        Edges of each graph, source in the first row and target in the second, ``(2, n_edges)``.
    n_nodes
        Number of nodes.
    """

    source: Tensor
    target: Tensor

    def __init__(self, edge_indices: Sequence[Tensor], n_nodes: int) -> None:
        super().__init__()
        edges, _ = add_remaining_self_loops(join_edges(edge_indices), num_nodes=n_nodes)
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
