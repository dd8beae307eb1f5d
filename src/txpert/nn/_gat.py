from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._edges import GraphTensors, TargetSortedEdges, join_edges
from ._gatv2 import GATv2Layer
from ._registry import register_encoder


@register_encoder("gat")
class GATEncoder(nn.Module):
    r"""Perturbation encoder: graph attention over the union of the graphs.

    Every gene (node) has a learned input row. Layer :math:`l` attends over a node's incoming
    edges and itself (GATv2) and is concatenated with its own input,

    .. math:: h^{(l+1)} = h^{(l)} \oplus \mathrm{LeakyReLU}(\mathrm{GATv2}(h^{(l)})),

    and a last linear map gives the embeddings (Brody et al., ICLR 2022, arXiv:2105.14491;
    four layers with two heads of 128 in the paper).

    Parameters
    ----------
    graphs
        Graphs over the nodes; weights are not used.
    n_nodes
        Number of genes.
    n_latent
        Length of an embedding.
    n_input
        Length of a node's learned input row.
    n_layers, n_heads, n_channels
        Number of layers, heads in each, and channels of each head.
    dropout
        Share of a layer's input dropped in training.
    """

    def __init__(
        self,
        graphs: Sequence[GraphTensors],
        n_nodes: int,
        n_latent: int,
        *,
        n_input: int = 64,
        n_layers: int = 4,
        n_heads: int = 2,
        n_channels: int = 128,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.edges = TargetSortedEdges(join_edges(graphs), n_nodes)
        self.nodes = nn.Parameter(torch.empty(n_nodes, n_input))
        width = n_heads * n_channels
        self.layers = nn.ModuleList(
            GATv2Layer(n_input + i * width, n_channels, n_heads) for i in range(n_layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(n_input + n_layers * width, n_latent)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        nn.init.xavier_uniform_(self.nodes)
        for layer in (*self.layers, self.project):
            layer.reset_parameters()

    def forward(self) -> Tensor:
        """Return the embeddings of all nodes, ``(n_nodes, n_latent)``."""
        h: Tensor = self.nodes
        for layer in self.layers:
            h = torch.cat([h, F.leaky_relu(layer(self.dropout(h), self.edges))], dim=1)
        return self.project(h)
