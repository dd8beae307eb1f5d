"""GATv2 layers with concatenated skip connections."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._edges import TargetSortedEdges
from ._gatv2 import GATv2Layer
from ._mlp import reset_layers


class GATStack(nn.Module):
    r"""GATv2 layers, each concatenated with its own input.

    .. math:: h^{(l+1)} = h^{(l)} \oplus \mathrm{LeakyReLU}(\mathrm{GATv2}(h^{(l)}))

    Where the output of some nodes only is wanted, each layer works on the nodes within as many
    steps of them as layers follow, which gives the same output.

    Parameters
    ----------
    n_input
        Dimensionality of a node's input.
    n_layers, n_heads, n_channels
        Number of layers, heads in each, and channels of each head.
    dropout
        Dropout rate of a layer's input.
    weighted
        Use the weights of the edges.
    activate_output
        Apply activation and dropout to the whole output of a layer, its skip path included.

    Attributes
    ----------
    n_output
        Dimensionality of a node's output.
    """

    def __init__(
        self,
        n_input: int,
        *,
        n_layers: int,
        n_heads: int,
        n_channels: int,
        dropout: float,
        weighted: bool,
        activate_output: bool = False,
    ) -> None:
        super().__init__()
        self.activate_output = activate_output
        width = n_heads * n_channels
        self.layers = nn.ModuleList(
            GATv2Layer(n_input + i * width, n_channels, n_heads, weighted=weighted)
            for i in range(n_layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.n_output = n_input + n_layers * width

    def reset_parameters(self) -> None:
        """Reset all learnable parameters."""
        reset_layers(self)

    def forward(self, h: Tensor, edges: TargetSortedEdges, wanted: Tensor | None = None) -> Tensor:
        """Map node features ``(n_nodes, n_input)`` to ``(n_wanted, n_output)``.

        Parameters
        ----------
        h
            Features of all nodes.
        edges
            Edges between them.
        wanted
            Nodes, sorted and each once; ``None`` for all.
        """
        hops = edges.hops(wanted, len(self.layers))
        start = hops[0].needed if hops else wanted
        h = h if start is None else h[start]
        for layer, hop in zip(self.layers, hops, strict=True):
            own = h if hop.needed is None else h.index_select(0, hop.own)
            if self.activate_output:
                h = self.dropout(F.leaky_relu(torch.cat([own, layer(h, hop)], dim=1)))
            else:
                h = torch.cat([own, F.leaky_relu(layer(self.dropout(h), hop))], dim=1)
        return h
