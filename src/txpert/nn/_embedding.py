from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._edges import GraphTensors
from ._mlp import reset_layers
from ._nodes import Nodes
from ._registry import register_encoder


@register_encoder("embedding")
class FeatureEncoder(nn.Module):
    r"""Perturbation encoder without graphs: an MLP on given features of each gene.

    .. math:: Z = W_2\, \mathrm{LeakyReLU}\Big(\sum_k F_k W_{1k} + b_1\Big) + b_2

    The features :math:`F_k` may be embeddings of gene descriptions (GenePT), of proteins, or of
    genes in another screen; this is how scLAMBDA sees a perturbation (Wang et al.,
    doi:10.1101/2024.12.04.626878).

    Parameters
    ----------
    graphs
        Not used.
    nodes
        The genes; their features are needed, rows to learn are not used.
    n_latent
        Length of an embedding.
    n_hidden
        Width of the hidden layer.
    dropout
        Share of hidden units dropped in training.

    Raises
    ------
    ValueError
        If there are no features.
    """

    def __init__(
        self,
        graphs: Sequence[GraphTensors],
        nodes: Nodes,
        n_latent: int,
        *,
        n_hidden: int = 256,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if not nodes.features:
            raise ValueError(
                "Encoder 'embedding' needs features of the genes: pass "
                "node_inputs=[frame] with a data frame, genes × features."
            )
        self.nodes = nodes.given().rows(n_hidden)
        self.bias = nn.Parameter(torch.empty(n_hidden))
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(n_hidden, n_latent)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset_layers(self)
        nn.init.uniform_(self.bias, -0.1, 0.1)

    def paths(self) -> Tensor:
        """Return no edges, ``(2, 0)``: no embedding draws on another's."""
        return torch.empty(2, 0, dtype=torch.long)

    def forward(self, wanted: Tensor | None = None) -> Tensor:
        """Return the embeddings of all nodes, or of those wanted, ``(n_nodes, n_latent)``."""
        return self.project(self.dropout(F.leaky_relu(self.nodes(wanted) + self.bias)))
