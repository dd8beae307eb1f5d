"""Exphormer: a sparse graph transformer."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ._edge_attention import EdgeAttention
from ._edges import GraphTensors, TargetSortedEdges, both_ways, join_edges, log_weights
from ._gatv2 import GATv2Layer
from ._mlp import activated, node_mlp, reset_layers
from ._nodes import Nodes
from ._provenance import ProvenanceEdges
from ._registry import register_encoder


class ExphormerLayer(nn.Module):
    """A layer of :class:`ExphormerEncoder`.

    Parameters
    ----------
    n_channels, n_heads
        Channels of each head, and their number; the width is their product.
    n_kinds
        Dimensionality of an edge's provenance.
    dropout
        Dropout rate.
    local
        Add GATv2 message passing over the graphs' own edges.
    weighted
        Use the weights of the edges.
    """

    def __init__(
        self,
        n_channels: int,
        n_heads: int,
        n_kinds: int,
        *,
        dropout: float,
        local: bool,
        weighted: bool,
    ) -> None:
        super().__init__()
        width = n_heads * n_channels
        self.attention = EdgeAttention(width, n_heads, n_kinds, weighted=weighted)
        self.local = GATv2Layer(width, n_channels, n_heads, weighted=weighted) if local else None
        self.feed_forward = node_mlp(width, 2 * width, width, dropout)
        self.attention_norm = nn.LayerNorm(width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, h: Tensor, edges: ProvenanceEdges, graph_edges: TargetSortedEdges | None
    ) -> Tensor:
        """Map node features to node features, ``(n_nodes, n_heads * n_channels)``."""
        message = self.dropout(self.attention(h, edges))
        if self.local is not None and graph_edges is not None:
            message = message + self.dropout(self.local(h, graph_edges.all()))
        h = self.attention_norm(h + message)
        return self.feed_forward_norm(h + self.dropout(self.feed_forward(h)))


@register_encoder(
    "exphormer",
    description="Sparse graph transformer over graphs and an expander, with edge provenance",
    reference="arXiv:2303.06147",
    multi_graph=True,
)
class ExphormerEncoder(nn.Module):
    r"""Perturbation encoder: a sparse graph transformer over the graphs and an expander.

    Genes attend along the edges of all graphs, their reverses, self-loops and an expander of
    random Hamiltonian cycles, which keeps all genes a few steps apart. Each distinct edge carries
    its provenance, a multi-hot vector of the graphs and kinds it is from, which enters the
    attention (:class:`EdgeAttention`), so direction and graph of origin count. A layer is

    .. math::

        h' &= \mathrm{Norm}(h + \mathrm{Attention}(h) \;[+\, \mathrm{GATv2}(h)]), \\
        h'' &= \mathrm{Norm}(h' + \mathrm{FF}(h')),

    with layer normalization (Shirzad et al., ICML 2023, arXiv:2303.06147). With several graphs it
    is Exphormer-MG of the paper, doi:10.1038/s41587-026-03113-4.

    Parameters
    ----------
    graphs
        Graphs over the nodes.
    nodes
        The genes.
    n_latent
        Dimensionality of the embeddings.
    n_layers, n_heads, n_channels
        Number of layers, heads in each, and channels of each head.
    dropout
        Dropout rate.
    n_cycles, seed
        Number of the expander's cycles, and the seed they are drawn with. In
        :class:`txpert.TxPertModel` the seed is ``scvi.settings.seed`` unless one is given.
    local
        Add GATv2 message passing over the graphs' own edges.
    edge_weights
        Let attention follow the weights of the edges, to a learned degree.
    activate_output
        Apply activation and dropout to the embeddings, as the published implementation does.
    """

    _paths: Tensor

    def __init__(
        self,
        graphs: Sequence[GraphTensors],
        nodes: Nodes,
        n_latent: int,
        *,
        n_layers: int = 4,
        n_heads: int = 2,
        n_channels: int = 64,
        dropout: float = 0.1,
        n_cycles: int = 3,
        seed: int = 0,
        local: bool = False,
        edge_weights: bool = False,
        activate_output: bool = False,
    ) -> None:
        super().__init__()
        self.edges = ProvenanceEdges(
            graphs, nodes.n, n_cycles=n_cycles, seed=seed, weighted=edge_weights
        )
        joined = join_edges(graphs)
        log_weight = log_weights(graphs) if edge_weights else None
        self.graph_edges = TargetSortedEdges(joined, nodes.n, log_weight) if local else None
        self.register_buffer("_paths", both_ways(joined), persistent=False)
        self.nodes = nodes.embedding(n_heads * n_channels)
        n_kinds = self.edges.provenance.shape[1]
        self.layers = nn.ModuleList(
            ExphormerLayer(
                n_channels,
                n_heads,
                n_kinds,
                dropout=dropout,
                local=local,
                weighted=edge_weights,
            )
            for _ in range(n_layers)
        )
        self.project = nn.Linear(n_heads * n_channels, n_latent)
        self.output = activated(dropout, activate_output)

    def reset_parameters(self) -> None:
        """Reset all learnable parameters."""
        reset_layers(self)

    def paths(self) -> Tensor:
        """Return the graphs' edges and their reverses, ``(2, n_edges)``.

        The expander's are left out: they are drawn at random and say nothing about a gene.
        """
        return self._paths

    def forward(self) -> Tensor:
        """Return the embeddings of all nodes, ``(n_nodes, n_latent)``."""
        h = self.nodes()
        for layer in self.layers:
            h = layer(h, self.edges, self.graph_edges)
        return self.output(self.project(h))
