"""Graph convolutions over the union of the graphs, with and without nonlinearity.

``torch_geometric.nn.SGConv`` takes 5.1 times as long (``benchmarks/libraries.py``): it normalizes
the graph in every step, and has a message per edge in memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._edges import GraphTensors, normalized_adjacency
from ._messages import in_float32
from ._mlp import reset_layers
from ._nodes import Nodes
from ._registry import register_encoder


@register_encoder(
    "gcn",
    description="Graph convolutions over the union of the graphs",
    reference="arXiv:1609.02907",
)
class GCNEncoder(nn.Module):
    r"""Perturbation encoder: graph convolutions over the union of the graphs.

    .. math:: h^{(l+1)} = \mathrm{LeakyReLU}(\hat A h^{(l)} W_l + b_l), \qquad z = W h^{(L)} + b,

    with the normalized adjacency :math:`\hat A` of :class:`SGCEncoder` (Kipf and Welling, ICLR
    2017, arXiv:1609.02907).

    Parameters
    ----------
    graphs
        Graphs over the nodes; weights are used.
    nodes
        The genes.
    n_latent
        Dimensionality of the embeddings.
    n_input
        Dimensionality of a node's input.
    n_layers, n_hidden
        Number of layers, and their width.
    dropout
        Dropout rate of a layer's input.
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
        self.register_buffer("adjacency", normalized_adjacency(graphs, nodes.n), persistent=False)
        self.nodes = nodes.embedding(n_input)
        widths = [n_input, *[n_hidden] * n_layers]
        self.layers = nn.ModuleList(map(nn.Linear, widths[:-1], widths[1:]))
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(widths[-1], n_latent)

    def reset_parameters(self) -> None:
        """Reset all learnable parameters."""
        reset_layers(self)

    def forward(self) -> Tensor:
        """Return the embeddings of all nodes, ``(n_nodes, n_latent)``."""
        h = self.nodes()
        for layer in self.layers:
            mixed = in_float32(torch.sparse.mm, self.adjacency, self.dropout(h))
            h = F.leaky_relu(layer(mixed))
        return self.project(h)


@register_encoder(
    "sgc",
    description="Linear propagation over the union of the graphs, as in GEARS",
    reference="arXiv:1902.07153",
)
class SGCEncoder(nn.Module):
    r"""Perturbation encoder: linear propagation over the union of the graphs, as in GEARS.

    .. math::

        Z = \hat A^K H W + b, \qquad \hat A = D^{-1/2} (A + I) D^{-1/2}, \qquad
        D_{ii} = 1 + \sum_j A_{ij},

    where :math:`A_{ij}` is the weight of edge :math:`j \to i`, the largest of all graphs', and
    :math:`H` holds a row per gene (Wu et al., ICML 2019, arXiv:1902.07153; Roohani et al.,
    Nature Biotechnology 2023, doi:10.1038/s41587-023-01905-6).

    Parameters
    ----------
    graphs
        Graphs over the nodes; weights are used.
    nodes
        The genes.
    n_latent
        Dimensionality of the embeddings.
    n_input
        Dimensionality of a node's input.
    n_hops
        Number of steps :math:`K`.
    """

    adjacency: Tensor

    def __init__(
        self,
        graphs: Sequence[GraphTensors],
        nodes: Nodes,
        n_latent: int,
        *,
        n_input: int = 64,
        n_hops: int = 1,
    ) -> None:
        super().__init__()
        self.register_buffer("adjacency", normalized_adjacency(graphs, nodes.n), persistent=False)
        self.n_hops = n_hops
        self.nodes = nodes.embedding(n_input)
        self.project = nn.Linear(n_input, n_latent)

    def reset_parameters(self) -> None:
        """Reset all learnable parameters."""
        self.nodes.reset_parameters()
        self.project.reset_parameters()

    def forward(self) -> Tensor:
        """Return the embeddings of all nodes, ``(n_nodes, n_latent)``."""
        h = self.nodes()
        for _ in range(self.n_hops):
            h = in_float32(torch.sparse.mm, self.adjacency, h)
        return self.project(h)
