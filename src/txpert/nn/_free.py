from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ._edges import GraphTensors
from ._nodes import Nodes
from ._registry import register_encoder


@register_encoder("none")
class FreeEmbeddings(nn.Module):
    r"""Perturbation encoder without graphs: a free embedding per gene, the ablation.

    .. math:: Z = H

    What a graph encoder adds is what it gains over this one. A gene that is no training target
    has the mean embedding of those that are. With given features, :math:`H` is linear in them
    besides.

    Parameters
    ----------
    graphs
        Not used.
    nodes
        The genes.
    n_latent
        Length of an embedding.
    """

    def __init__(self, graphs: Sequence[GraphTensors], nodes: Nodes, n_latent: int) -> None:
        super().__init__()
        self.nodes = nodes.rows(n_latent)

    def reset_parameters(self) -> None:
        """Draw all embeddings anew."""
        self.nodes.reset_parameters()

    def paths(self) -> Tensor:
        """Return no edges, ``(2, 0)``: no embedding draws on another's."""
        return torch.empty(2, 0, dtype=torch.long)

    def forward(self, wanted: Tensor | None = None) -> Tensor:
        """Return the embeddings of all nodes, or of those wanted, ``(n_nodes, n_latent)``."""
        return self.nodes(wanted)
