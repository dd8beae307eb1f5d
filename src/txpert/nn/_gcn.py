from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._edges import GraphTensors, normalised_adjacency
from ._mlp import reset_layers
from ._nodes import Nodes
from ._precision import in_float32
from ._registry import register_encoder


@register_encoder("gcn")
class GCNEncoder(nn.Module):
    r"""Perturbation encoder: graph convolutions over the union of the graphs.

    .. math:: h^{(l+1)} = \mathrm{LeakyReLU}(\hat A h^{(l)} W_l + b_l), \qquad z = W h^{(L)} + b,

    with the normalised adjacency :math:`\hat A` of :class:`SGCEncoder` (Kipf and Welling, ICLR
    2017, arXiv:1609.02907).

    Parameters
    ----------
    graphs
        Graphs over the nodes; weights are used.
    nodes
        The genes.
    n_latent
        Length of an embedding.
    n_input
        Length of a node's input row.
    n_layers, n_hidden
        Number of layers, and their width.
    dropout
        Share of a layer's input dropped in training.
    """

    adjacency: Tensor

    def __init__(
        self,
        graphs: Sequence[GraphTensors],
        nodes: Nodes,
        n_latent: int,
        *,
        n_input: int = 64,
        n_layers: int = 2,
        n_hidden: int = 128,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.register_buffer("adjacency", normalised_adjacency(graphs, nodes.n), persistent=False)
        self.nodes = nodes.rows(n_input)
        widths = [n_input, *[n_hidden] * n_layers]
        self.layers = nn.ModuleList(map(nn.Linear, widths[:-1], widths[1:]))
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(widths[-1], n_latent)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset_layers(self)

    def forward(self) -> Tensor:
        """Return the embeddings of all nodes, ``(n_nodes, n_latent)``."""
        h = self.nodes()
        for layer in self.layers:
            mixed = in_float32(torch.sparse.mm, self.adjacency, self.dropout(h))
            h = F.leaky_relu(layer(mixed))
        return self.project(h)
