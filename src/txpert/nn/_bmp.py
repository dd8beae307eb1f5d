from __future__ import annotations

from collections.abc import Sequence

import torch
from scipy import sparse
from torch import Tensor, nn
from torch_geometric.utils import (
    add_self_loops,
    coalesce,
    from_scipy_sparse_matrix,
    remove_self_loops,
    scatter,
    to_scipy_sparse_matrix,
)

from txpert._refined import refine_adjacency

from ._edges import GraphTensors, adjacency, both_ways, join_edges, neighbour_sums
from ._mlp import node_mlp, reset_layers
from ._nodes import Nodes
from ._registry import register_encoder


@register_encoder("bmp")
class BMPEncoder(nn.Module):
    r"""Perturbation encoder: basic message passing, both ways, beside the gene's own features.

    .. math::

        Z = \mathrm{MLP}(D A H_\text{in} + \bar D A^\top H_\text{out}
        + \textstyle\sum_k F_k W_k), \qquad
        D_{ii} = \big(\textstyle\sum_j A_{ij}^2\big)^{-1/2},

    where A is refined (:meth:`txpert.graph.KnowledgeGraph.refine`) from the number of graphs that
    have an edge :math:`j \to i` and scaled to a mean of 1, with :math:`A_{ii} = 1`,
    :math:`\bar D` is to :math:`A^\top` what D is to A, the two tables :math:`H` hold a row per
    gene, and :math:`F_k` are the features given. :class:`HybridBMPEncoder` of the paper, which
    this is made from, takes all edges as they are. It has no roots, without which hubs have
    embeddings many times the size of others', no features of the gene's own, and no self-loops.
    These tie a gene to its neighbours: what a row learns of the gene's own effect serves the
    neighbours too, which decides where perturbations are few.

    Parameters
    ----------
    graphs
        Graphs over the nodes; weights are not used.
    nodes
        The genes.
    n_latent
        Length of an embedding.
    n_input
        Length of the rows.
    n_hidden
        Width of the MLP's hidden layer.
    dropout
        Share of hidden units dropped in training.
    """

    incoming: Tensor
    outgoing: Tensor

    def __init__(
        self,
        graphs: Sequence[GraphTensors],
        nodes: Nodes,
        n_latent: int,
        *,
        n_input: int = 128,
        n_hidden: int = 128,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        edges, weight = _refined(join_edges(graphs), nodes.n)
        edges, weight = add_self_loops(edges, weight, num_nodes=nodes.n)
        self.register_buffer("incoming", _scaled(edges, weight, nodes.n), persistent=False)
        self.register_buffer("outgoing", _scaled(edges.flip(0), weight, nodes.n), persistent=False)
        self.sources = nodes.rows(n_input)
        self.targets = nodes.rows(n_input)
        self.own = nodes.given().rows(n_input) if nodes.features else None
        self.mlp = node_mlp(n_input, n_hidden, n_latent, dropout)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset_layers(self)

    def paths(self) -> Tensor:
        """Return the edges of all graphs and their reverses, ``(2, n_edges)``."""
        return both_ways(self.incoming.indices().flip(0))

    def forward(self, wanted: Tensor | None = None) -> Tensor:
        """Return the embeddings of all nodes, or of those wanted, ``(n_nodes, n_latent)``."""
        into = neighbour_sums(self.incoming, self.sources, wanted)
        out_of = neighbour_sums(self.outgoing, self.targets, wanted)
        own = 0 if self.own is None else self.own(wanted)
        return self.mlp(into + out_of + own)


def _refined(edges: Tensor, n_nodes: int) -> tuple[Tensor, Tensor]:
    """Return the refined edges and their weights, with a mean of 1; repeated edges count."""
    number = torch.ones(edges.shape[1])
    edges, number = coalesce(*remove_self_loops(edges, number), num_nodes=n_nodes)
    given = to_scipy_sparse_matrix(edges.flip(0), number, n_nodes)
    found, weight = from_scipy_sparse_matrix(refine_adjacency(sparse.csr_array(given)))
    return found.flip(0), weight / weight.mean()


def _scaled(edges: Tensor, weight: Tensor, n_nodes: int) -> Tensor:
    """Return the matrix whose sums have the size of a row, if rows are at random."""
    squares = scatter(weight**2, edges[1], dim_size=n_nodes)
    return adjacency(edges, weight / squares[edges[1]].sqrt(), n_nodes)
