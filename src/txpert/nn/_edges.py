"""Edges of graphs over the nodes, as tensors.

``torch_geometric.utils.k_hop_subgraph`` takes 2.5 times as long (``benchmarks/libraries.py``), and
gives one subgraph for all layers instead of what each of them needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import add_remaining_self_loops, coalesce

from ._messages import in_float32

_BLOCK_EDGES = 1_024
"""Edges worked on at once on a CPU: their features stay in its cache."""
_LIGHTEST = 1e-3
"""Smallest weight, as a fraction of the largest of a graph."""


class GraphTensors(NamedTuple):
    """A graph over the nodes, as the encoders take it.

    Parameters
    ----------
    edges
        Positions of the sources in the first row and of the targets in the second,
        ``(2, n_edges)``.
    weight
        Weights of the edges, not negative, ``(n_edges,)``.

    Examples
    --------
    >>> import torch
    >>> import txpert as tx
    >>> edges = torch.tensor([[0, 1, 2], [2, 2, 0]])  # 0 → 2, 1 → 2, 2 → 0
    >>> graph = tx.nn.GraphTensors(edges, weight=torch.tensor([1.0, 0.5, 0.25]))
    >>> source, target = graph.edges
    >>> torch.zeros(3).index_add(0, target, graph.weight).tolist()  # what comes into each node
    [0.25, 0.0, 1.5]
    """

    edges: Tensor
    weight: Tensor


def join_edges(graphs: Sequence[GraphTensors]) -> Tensor:
    """Return the edges of all graphs, ``(2, n_edges)``, repeats included.

    Examples
    --------
    >>> import torch
    >>> import txpert as tx
    >>> first = tx.nn.GraphTensors(torch.tensor([[0, 1], [1, 2]]), torch.ones(2))
    >>> second = tx.nn.GraphTensors(torch.tensor([[0, 2], [1, 0]]), torch.ones(2))
    >>> tx.nn.join_edges([first, second]).tolist()
    [[0, 1, 0, 2], [1, 2, 1, 0]]
    >>> tx.nn.join_edges([]).shape  # an encoder without graphs
    torch.Size([2, 0])
    """
    none = torch.empty(2, 0, dtype=torch.long)
    return torch.cat([*(graph.edges for graph in graphs), none], dim=1)


def log_weights(graphs: Sequence[GraphTensors]) -> Tensor:
    """Return the log of each edge's weight over its graph's largest, ``(n_edges,)``."""
    fractions = [
        graph.weight / graph.weight.max() if len(graph.weight) else graph.weight
        for graph in graphs
    ]
    return torch.cat([*fractions, torch.empty(0)]).clamp(min=_LIGHTEST).log()


def both_ways(edges: Tensor) -> Tensor:
    """Return edges and their reverses, ``(2, 2 * n_edges)``."""
    return torch.cat([edges, edges.flip(0)], dim=1)


def adjacency(edges: Tensor, weight: Tensor, n_nodes: int) -> Tensor:
    """Return the sparse matrix that sums what comes in, target × source."""
    size = (n_nodes, n_nodes)
    return torch.sparse_coo_tensor(edges.flip(0), weight, size, check_invariants=True).coalesce()


def neighbor_sums(
    matrix: Tensor, rows: Callable[[Tensor | None], Tensor], wanted: Tensor | None = None
) -> Tensor:
    """Sum the embeddings of each node's neighbors, computing no more than are needed.

    Parameters
    ----------
    matrix
        Sparse, target × source, coalesced.
    rows
        Returns the embeddings of all nodes (``None``) or of some, given sorted and each once.
    wanted
        Nodes whose sums are returned; ``None`` for all.

    Returns
    -------
    ``(n_wanted, n_columns)``.
    """
    if wanted is None:
        return in_float32(torch.sparse.mm, matrix, rows(None))
    row, source = matrix.indices()
    first = torch.searchsorted(row, wanted)
    number = torch.searchsorted(row, wanted, right=True) - first
    target = torch.arange(len(wanted), device=row.device).repeat_interleave(number)
    position = torch.arange(len(target), device=row.device)
    position += (first - number.cumsum(0) + number).repeat_interleave(number)
    needed, source = source[position].unique(return_inverse=True)
    some = torch.sparse_coo_tensor(
        torch.stack([target, source]),
        matrix.values()[position],
        (len(wanted), len(needed)),
        device=row.device,
        is_coalesced=True,
        check_invariants=False,
    )
    return in_float32(torch.sparse.mm, some, rows(needed))


def normalized_adjacency(graphs: Sequence[GraphTensors], n_nodes: int) -> Tensor:
    r"""Return :math:`D^{-1/2} (A + I) D^{-1/2}` of the union of the graphs, target × source.

    :math:`A_{ij}` is the weight of edge :math:`j \to i`, the largest of all graphs', and
    :math:`D_{ii} = 1 + \sum_j A_{ij}`.
    """
    weight = torch.cat([*(graph.weight for graph in graphs), torch.empty(0)])
    edges, weight = coalesce(join_edges(graphs), weight, num_nodes=n_nodes, reduce="max")
    edges, weight = gcn_norm(edges, weight, num_nodes=n_nodes)
    return adjacency(edges, weight, n_nodes)


def require_graphs(graphs: Sequence[GraphTensors], encoder: str) -> None:
    """Raise a ValueError if there is no graph."""
    if not graphs:
        raise ValueError(
            f"Encoder {encoder!r} needs at least one graph: pass graphs=[...], or take "
            "encoder='free', which learns free embeddings."
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


class Hop(NamedTuple):
    """The edges into some nodes, for one layer of message passing.

    Parameters
    ----------
    needed
        Nodes that the messages come from or go to, sorted, ``(n_needed,)``; ``None`` for all.
    own
        Positions among them of the nodes that the messages go to, ``(n_nodes,)``.
    source, target
        Ends of the edges, sorted by target, as positions in ``needed`` and in ``own``.
    log_weight
        Log weights of the edges; ``None`` where weights are not used.
    bounds
        Nodes and incoming edges of one block after another.
    """

    needed: Tensor | None
    own: Tensor
    source: Tensor
    target: Tensor
    log_weight: Tensor | None
    bounds: list[tuple[slice, slice]]

    def blocks(self) -> Iterator[tuple[slice, slice]]:
        """Yield the nodes and the incoming edges of one block after another.

        On an accelerator everything is one block.
        """
        if self.source.device.type != "cpu":
            yield slice(0, len(self.own)), slice(0, len(self.source))
            return
        yield from self.bounds


class TargetSortedEdges(nn.Module):
    """Distinct edges, sorted by target and then source, with a self-loop at every node.

    Parameters
    ----------
    edges
        Sources in the first row and targets in the second, ``(2, n_edges)``.
    n_nodes
        Number of nodes.
    log_weight
        Log weights of the edges, ``(n_edges,)``, where they are used. Of an edge that is there
        twice the larger counts; self-loops have 0, that of the heaviest edges.
    """

    source: Tensor
    target: Tensor
    own: Tensor
    first: Tensor
    log_weight: Tensor | None

    def __init__(self, edges: Tensor, n_nodes: int, log_weight: Tensor | None = None) -> None:
        super().__init__()
        if log_weight is None:
            edges, _ = add_remaining_self_loops(edges, num_nodes=n_nodes)
            edges = coalesce(edges, sort_by_row=False)
        else:
            edges, log_weight = add_remaining_self_loops(edges, log_weight, 0.0, n_nodes)
            edges, log_weight = coalesce(edges, log_weight, reduce="max", sort_by_row=False)
        source, target = edges
        self.n_nodes = n_nodes
        own = torch.arange(n_nodes)
        first = torch.searchsorted(target, torch.arange(n_nodes + 1))
        for name, values in (
            ("source", source),
            ("target", target),
            ("own", own),
            ("first", first),
            ("log_weight", log_weight),
        ):
            self.register_buffer(name, values, persistent=False)
        self._bounds = _block_bounds(first)

    def all(self) -> Hop:
        """Return the edges into all nodes."""
        return Hop(None, self.own, self.source, self.target, self.log_weight, self._bounds)

    def into(self, nodes: Tensor) -> Hop:
        """Return the edges into some nodes, given sorted and each once, ``(n,)``."""
        number = self.first[nodes + 1] - self.first[nodes]
        end = number.cumsum(0)
        target = torch.repeat_interleave(torch.arange(len(nodes), device=nodes.device), number)
        edge = torch.arange(len(target), device=nodes.device)
        edge = edge + (self.first[nodes] - end + number)[target]
        # Every node has a self-loop, so the sources include the nodes.
        needed, source = self.source[edge].unique(return_inverse=True)
        log_weight = None if self.log_weight is None else self.log_weight[edge]
        own = torch.searchsorted(needed, nodes)
        first = torch.cat([end.new_zeros(1), end])
        return Hop(needed, own, source, target, log_weight, _block_bounds(first))

    def hops(self, nodes: Tensor | None, n_layers: int) -> list[Hop]:
        """Return the edges that each of the layers needs for the output of some nodes.

        Parameters
        ----------
        nodes
            Nodes wanted, sorted and each once, ``(n,)``; ``None`` for all.
        n_layers
            Number of layers, the first of which is the first in the list.
        """
        hops: list[Hop] = []
        for _ in range(n_layers):
            whole = nodes is None or len(nodes) == self.n_nodes
            hops.append(self.all() if nodes is None or whole else self.into(nodes))
            nodes = hops[-1].needed
        return hops[::-1]


def _block_bounds(first: Tensor) -> list[tuple[slice, slice]]:
    """Cut the nodes so that each block has about the same number of incoming edges."""
    edge = first.tolist()
    n_nodes, n_edges = len(edge) - 1, edge[-1]
    wanted = torch.arange(0, n_edges + _BLOCK_EDGES, _BLOCK_EDGES, device=first.device)
    cuts = torch.searchsorted(first, wanted).clamp(max=n_nodes).unique().tolist()
    return [(slice(a, b), slice(edge[a], edge[b])) for a, b in pairwise(cuts)]
