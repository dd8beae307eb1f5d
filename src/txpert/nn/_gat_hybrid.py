"""GAT-Hybrid: a GAT per graph, combined by attention over the graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ._edges import GraphTensors, require_graphs
from ._gat import GATEncoder
from ._mlp import node_mlp, reset_layers
from ._nodes import Nodes
from ._registry import register_encoder

Combine = Literal["attention", "concat"]


@register_encoder(
    "gat_hybrid",
    description="A GAT per graph, then attention over the graphs of each gene",
    reference="doi:10.1038/s41587-026-03113-4",
    multi_graph=True,
)
class GATHybridEncoder(nn.Module):
    r"""Perturbation encoder: a GAT per graph, weighed for every gene by itself.

    With the output :math:`h_{ig}` of graph :math:`g` for gene :math:`i` and a learned query
    :math:`q_k` per head, attention over the graphs is

    .. math::

        \alpha_{ig}^k = \operatorname{softmax}_g \frac{q_k^\top h_{ig}}{\sqrt d}, \qquad
        z_i = \mathrm{MLP}\Big(\bigoplus_k \sum_g \alpha_{ig}^k h_{ig}\Big)

    (GAT-Hybrid of the paper, doi:10.1038/s41587-026-03113-4); the alternative is
    :math:`z_i = \mathrm{MLP}(\bigoplus_g h_{ig})`.

    Parameters
    ----------
    graphs
        Graphs over the nodes, at least one.
    nodes
        The genes.
    n_latent
        Dimensionality of the embeddings.
    combine
        ``"attention"`` over the graphs or ``"concat"``.
    n_queries
        Number of heads of the attention over graphs.
    dropout
        Dropout rate.
    n_input, n_layers, n_heads, n_channels, edge_weights
        Of every :class:`GATEncoder`.
    """

    def __init__(
        self,
        graphs: Sequence[GraphTensors],
        nodes: Nodes,
        n_latent: int,
        *,
        combine: Combine = "attention",
        n_queries: int = 2,
        dropout: float = 0.2,
        n_input: int = 64,
        n_layers: int = 4,
        n_heads: int = 2,
        n_channels: int = 128,
        edge_weights: bool = False,
    ) -> None:
        super().__init__()
        require_graphs(graphs, "gat_hybrid")
        if combine not in ("attention", "concat"):
            raise ValueError(f"combine must be 'attention' or 'concat', not {combine!r}.")
        self.towers = nn.ModuleList(
            GATEncoder(
                [graph],
                nodes,
                n_latent,
                n_input=n_input,
                n_layers=n_layers,
                n_heads=n_heads,
                n_channels=n_channels,
                dropout=dropout,
                edge_weights=edge_weights,
            )
            for graph in graphs
        )
        self.query = (
            nn.Parameter(torch.empty(n_queries, n_latent)) if combine == "attention" else None
        )
        n_parts = len(graphs) if self.query is None else n_queries
        self.mlp = node_mlp(n_parts * n_latent, n_latent, n_latent, dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Reset all learnable parameters."""
        reset_layers(self.towers)
        reset_layers(self.mlp)
        if self.query is not None:
            nn.init.xavier_uniform_(self.query)

    def forward(self, wanted: Tensor | None = None) -> Tensor:
        """Return the embeddings of all nodes, or of those wanted, ``(n_nodes, n_latent)``."""
        h = torch.stack([tower(wanted) for tower in self.towers], dim=1)
        if self.query is not None:
            score = h @ self.query.T / h.shape[2] ** 0.5
            h = torch.einsum("ngk,ngd->nkd", score.softmax(dim=1), h)
        return self.mlp(h.flatten(1))
