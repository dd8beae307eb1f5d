"""Encoders that read no graph: free embeddings, and an MLP on features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._edges import GraphTensors
from ._mlp import reset_layers
from ._nodes import Nodes
from ._registry import register_encoder


@register_encoder("free", description="A free embedding per gene, the ablation without graphs")
class FreeEncoder(nn.Module):
    r"""Perturbation encoder without graphs: a free embedding per gene, the ablation.

    .. math:: Z = H

    The ablation that graph encoders are compared with. Genes that are not training targets get
    the mean embedding of those that are. With given features, :math:`H` adds a linear map of
    them.

    Parameters
    ----------
    graphs
        Not used.
    nodes
        The genes.
    n_latent
        Dimensionality of the embeddings.
    """

    def __init__(self, graphs: Sequence[GraphTensors], nodes: Nodes, n_latent: int) -> None:
        super().__init__()
        self.nodes = nodes.embedding(n_latent)

    def reset_parameters(self) -> None:
        """Reset all learnable parameters."""
        self.nodes.reset_parameters()

    def paths(self) -> Tensor:
        """Return no edges, ``(2, 0)``: embeddings are independent of each other."""
        return torch.empty(2, 0, dtype=torch.long)

    def forward(self, wanted: Tensor | None = None) -> Tensor:
        """Return the embeddings of all nodes, or of those wanted, ``(n_nodes, n_latent)``."""
        return self.nodes(wanted)


@register_encoder(
    "features",
    description="An MLP on given features of each gene, without graphs",
    reference="doi:10.1101/2024.12.04.626878",
)
class FeatureEncoder(nn.Module):
    r"""Perturbation encoder without graphs: an MLP on given features of each gene.

    .. math:: Z = W_2\, \mathrm{LeakyReLU}\Big(\sum_k F_k W_{1k} + b_1\Big) + b_2

    The features :math:`F_k` may be embeddings of gene descriptions (GenePT), of proteins, or of
    genes in another screen; scLAMBDA encodes perturbations this way (Wang et al.,
    doi:10.1101/2024.12.04.626878).

    Parameters
    ----------
    graphs
        Not used.
    nodes
        The genes; features are required, learned embeddings are not used.
    n_latent
        Dimensionality of the embeddings.
    n_hidden
        Number of nodes in the hidden layer.
    dropout
        Dropout rate of the hidden layer.

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
                "Encoder 'features' needs features of the genes: pass "
                "node_inputs=[frame] with a data frame, genes × features."
            )
        self.nodes = nodes.features_only().embedding(n_hidden)
        self.bias = nn.Parameter(torch.empty(n_hidden))
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(n_hidden, n_latent)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Reset all learnable parameters."""
        reset_layers(self)
        nn.init.uniform_(self.bias, -0.1, 0.1)

    def paths(self) -> Tensor:
        """Return no edges, ``(2, 0)``: embeddings are independent of each other."""
        return torch.empty(2, 0, dtype=torch.long)

    def forward(self, wanted: Tensor | None = None) -> Tensor:
        """Return the embeddings of all nodes, or of those wanted, ``(n_nodes, n_latent)``."""
        return self.project(self.dropout(F.leaky_relu(self.nodes(wanted) + self.bias)))
