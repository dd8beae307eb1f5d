"""Basic message passing over refined graphs, and the paper's Hybrid-BMP."""

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

from ._edges import (
    GraphTensors,
    adjacency,
    both_ways,
    join_edges,
    neighbor_sums,
    require_graphs,
)
from ._mlp import activated, node_mlp, reset_layers
from ._nodes import Nodes
from ._registry import register_encoder


@register_encoder(
    "bmp",
    description="One step of message passing along and against refined edges, then an MLP",
)
@register_encoder(
    "hybrid_bmp",
    description="The paper's Hybrid-BMP: as 'bmp', but all edges count as they are",
    reference="doi:10.1038/s41587-026-03113-4",
    options={"refined": False},
)
class BMPEncoder(nn.Module):
    r"""Perturbation encoder: one step of basic message passing, along and against the edges.

    .. math::

        Z = \mathrm{MLP}(D A H_\text{in} + \bar D A^\top H_\text{out}
        + \textstyle\sum_k F_k W_k), \qquad
        D_{ii} = \big(\textstyle\sum_j A_{ij}^2\big)^{-1/2},

    where A is refined (:meth:`txpert.graph.KnowledgeGraph.refine`) from the number of graphs that
    have an edge :math:`j \to i` and scaled to a mean of 1, with :math:`A_{ii} = 1`,
    :math:`\bar D` is to :math:`A^\top` what D is to A, the two tables :math:`H` hold an embedding
    per gene, and :math:`F_k` are the features given.

    With ``refined=False`` it is Hybrid-BMP of the paper, the preset ``"hybrid_bmp"``:

    .. math:: Z = \mathrm{MLP}(A H_\text{in} + A^\top H_\text{out}),

    where :math:`A_{ij} = 1` if any graph has an edge :math:`j \to i`. Without the scaling by
    degree, hubs have embeddings many times the size of others'; without self-loops, a gene is
    described by its neighbors alone, and genes without any share one embedding. Self-loops tie a
    gene to its neighbors: they share what its embedding learns of the gene's own effect, which
    matters most where perturbations are few.

    Parameters
    ----------
    graphs
        Graphs over the nodes; weights are not used. At least one unless ``refined``.
    nodes
        The genes.
    n_latent
        Dimensionality of the embeddings.
    n_input
        Dimensionality of a node's input.
    n_hidden
        Number of nodes in the MLP's hidden layer.
    dropout
        Dropout rate of the hidden layer.
    refined
        Refine the edges, scale by degree, and add self-loops and the gene's own features.
    activate_output
        Apply activation and dropout to the embeddings, as the published implementation does.
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
        refined: bool = True,
        activate_output: bool = False,
    ) -> None:
        super().__init__()
        if not refined:
            require_graphs(graphs, "hybrid_bmp")
        matrices = _refined(graphs, nodes.n) if refined else _as_given(graphs, nodes.n)
        for name, matrix in zip(("incoming", "outgoing"), matrices, strict=True):
            self.register_buffer(name, matrix, persistent=False)
        self.sources = nodes.embedding(n_input)
        self.targets = nodes.embedding(n_input)
        self.own = nodes.features_only().embedding(n_input) if refined and nodes.features else None
        self.mlp = node_mlp(n_input, n_hidden, n_latent, dropout)
        self.output = activated(dropout, activate_output)

    def reset_parameters(self) -> None:
        """Reset all learnable parameters."""
        reset_layers(self)

    def paths(self) -> Tensor:
        """Return the edges of all graphs and their reverses, ``(2, n_edges)``."""
        return both_ways(self.incoming.indices().flip(0))

    def forward(self, wanted: Tensor | None = None) -> Tensor:
        """Return the embeddings of all nodes, or of those wanted, ``(n_nodes, n_latent)``."""
        into = neighbor_sums(self.incoming, self.sources, wanted)
        out_of = neighbor_sums(self.outgoing, self.targets, wanted)
        own = 0 if self.own is None else self.own(wanted)
        return self.output(self.mlp(into + out_of + own))


def _as_given(graphs: Sequence[GraphTensors], n_nodes: int) -> tuple[Tensor, Tensor]:
    """Return the adjacency matrix of the union of the graphs, and its transpose."""
    edges = coalesce(join_edges(graphs), num_nodes=n_nodes)
    ones = torch.ones(edges.shape[1])
    return adjacency(edges, ones, n_nodes), adjacency(edges.flip(0), ones, n_nodes)


def _refined(graphs: Sequence[GraphTensors], n_nodes: int) -> tuple[Tensor, Tensor]:
    """Return the refined adjacency matrix with self-loops, and its transpose, both scaled.

    Edges that several graphs have count as often.
    """
    given = join_edges(graphs)
    edges, number = coalesce(
        *remove_self_loops(given, torch.ones(given.shape[1])), num_nodes=n_nodes
    )
    counts = to_scipy_sparse_matrix(edges.flip(0), number, n_nodes)
    found, weight = from_scipy_sparse_matrix(refine_adjacency(sparse.csr_array(counts)))
    edges, weight = add_self_loops(found.flip(0), weight / weight.mean(), num_nodes=n_nodes)
    return _scaled(edges, weight, n_nodes), _scaled(edges.flip(0), weight, n_nodes)


def _scaled(edges: Tensor, weight: Tensor, n_nodes: int) -> Tensor:
    """Return the matrix whose sums of random embeddings have the size of one embedding."""
    squares = scatter(weight**2, edges[1], dim_size=n_nodes)
    return adjacency(edges, weight / squares[edges[1]].sqrt(), n_nodes)
