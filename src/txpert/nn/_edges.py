from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch_geometric.utils import add_remaining_self_loops, coalesce

_BLOCK_EDGES = 1_024
"""Edges worked on at once on a CPU: their features stay in its cache."""


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
        empty = torch.empty(2, 0, dtype=torch.long)
        edges, _ = add_remaining_self_loops(
            torch.cat([*edge_indices, empty], dim=1), num_nodes=n_nodes
        )
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
