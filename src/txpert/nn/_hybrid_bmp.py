from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.utils import coalesce

from ._edges import GraphTensors, adjacency, both_ways, join_edges, neighbour_sums, require_graphs
from ._mlp import node_mlp, reset_layers
from ._nodes import Nodes
from ._registry import register_encoder


@register_encoder("hybrid_bmp")
class HybridBMPEncoder(nn.Module):
    r"""Perturbation encoder: one step of basic message passing, both ways, over all graphs.

    .. math:: Z = \mathrm{MLP}(A H_\text{in} + A^\top H_\text{out}),

    where :math:`A_{ij} = 1` if any graph has an edge :math:`j \to i`, and the two tables
    :math:`H` hold a row per gene (Hybrid-BMP of the paper,
    doi:10.1038/s41587-026-03113-4). A gene is described by its neighbours alone, so genes without
    any have one embedding.

    Parameters
    ----------
    graphs
        Graphs over the nodes, at least one; weights are not used.
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
        require_graphs(graphs, "hybrid_bmp")
        edges = coalesce(join_edges(graphs), num_nodes=nodes.n)
        ones = torch.ones(edges.shape[1])
        self.register_buffer("incoming", adjacency(edges, ones, nodes.n), persistent=False)
        self.register_buffer("outgoing", adjacency(edges.flip(0), ones, nodes.n), persistent=False)
        self.sources = nodes.rows(n_input)
        self.targets = nodes.rows(n_input)
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
        return self.mlp(into + out_of)
