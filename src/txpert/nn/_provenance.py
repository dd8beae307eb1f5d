"""Edges of several graphs and an expander, with the origin of each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.utils import coalesce, remove_self_loops

from ._edges import GraphTensors, TargetSortedEdges, both_ways, join_edges, log_weights


def expander_edges(n_nodes: int, n_cycles: int = 3, seed: int = 0) -> Tensor:
    """Return the edges of a random expander graph, both ways, ``(2, n_edges)``.

    The union of random Hamiltonian cycles connects all nodes and, from two cycles on, is with
    high probability an expander: any two nodes are a few steps apart, with ``2 * n_cycles``
    edges per node at most (Shirzad et al., ICML 2023, arXiv:2303.06147).

    Parameters
    ----------
    n_nodes
        Number of nodes.
    n_cycles
        Number of cycles; edges that several of them have are there once.
    seed
        Determines the cycles, whatever the state of PyTorch's generator.
    """
    generator = torch.Generator().manual_seed(seed)
    cycles = [torch.randperm(n_nodes, generator=generator) for _ in range(n_cycles)]
    edges = [torch.stack([cycle, cycle.roll(-1)]) for cycle in cycles]
    joined = torch.cat([*edges, torch.empty(2, 0, dtype=torch.long)], dim=1)
    return remove_self_loops(coalesce(both_ways(joined), num_nodes=n_nodes))[0]


class ProvenanceEdges(TargetSortedEdges):
    """Union of graphs, their reverses, self-loops and an expander, and where each edge is from.

    ``provenance[pattern]`` has a row per edge and a column per graph, then one each for reverses,
    self-loops and the expander. There are only a handful of distinct rows, so what a layer makes
    of them is computed once per pattern.

    Parameters
    ----------
    graphs
        Graphs over the nodes.
    n_nodes
        Number of nodes.
    n_cycles, seed
        Of the expander, see :func:`expander_edges`.
    weighted
        Keep the weights of the graphs' edges; self-loops and the expander count as the heaviest.
    """

    provenance: Tensor
    pattern: Tensor

    def __init__(
        self,
        graphs: Sequence[GraphTensors],
        n_nodes: int,
        *,
        n_cycles: int,
        seed: int,
        weighted: bool = False,
    ) -> None:
        given = join_edges(graphs)
        expander = expander_edges(n_nodes, n_cycles, seed)
        of_given = log_weights(graphs)
        log_weight = torch.cat([of_given, of_given, torch.zeros(expander.shape[1])])
        super().__init__(
            torch.cat([both_ways(given), expander], dim=1),
            n_nodes,
            log_weight if weighted else None,
        )
        loops = torch.arange(n_nodes).expand(2, -1)
        kinds = [*(graph.edges for graph in graphs), given.flip(0), loops, expander]
        columns = torch.stack([self._among(edges) for edges in kinds], dim=1)
        provenance, pattern = columns.unique(dim=0, return_inverse=True)
        self.register_buffer("provenance", provenance.float(), persistent=False)
        self.register_buffer("pattern", pattern, persistent=False)

    def _among(self, edges: Tensor) -> Tensor:
        """Return which of the edges are among those given, ``(n_edges,)``."""
        source, target = edges
        return torch.isin(self.target * self.n_nodes + self.source, target * self.n_nodes + source)
