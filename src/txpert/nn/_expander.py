from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.utils import coalesce, remove_self_loops

from ._edges import both_ways


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
