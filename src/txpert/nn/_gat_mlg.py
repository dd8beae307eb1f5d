from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.utils import scatter

from ._edges import GraphTensors, TargetSortedEdges, require_graphs
from ._gatv2 import GATv2Layer
from ._registry import register_encoder


def supra_edges(graphs: Sequence[GraphTensors], n_nodes: int) -> Tensor:
    """Return the edges of the supra-graph, ``(2, n_edges)``.

    Node ``g * n_nodes + i`` is the copy of gene ``i`` in graph ``g``. Edges of a graph join its
    own copies; all copies of a gene are joined with one another.
    """
    within = [graph.edges + g * n_nodes for g, graph in enumerate(graphs)]
    copies = torch.arange(len(graphs) * n_nodes).view(len(graphs), n_nodes)
    pairs = torch.combinations(torch.arange(len(graphs)))
    first, second = copies[pairs.T].flatten(1)
    identity = [torch.stack([first, second]), torch.stack([second, first])]
    return torch.cat([*within, *identity], dim=1)


def incoming_weights(graph: GraphTensors, n_nodes: int) -> Tensor:
    """Describe each node's incoming edges: log(1 + number), mean and largest weight."""
    target = graph.edges[1]
    number = torch.bincount(target, minlength=n_nodes).log1p()
    mean, largest = (
        scatter(graph.weight, target, dim_size=n_nodes, reduce=how) for how in ("mean", "max")
    )
    return torch.stack([number, mean, largest], dim=1)


@register_encoder("gat_mlg")
class GATMLGEncoder(nn.Module):
    r"""Perturbation encoder: graph attention over a multilayer graph.

    The supra-graph has a copy of every gene in every graph, the edges of each graph within its
    copies, and identity edges between all copies of a gene. GATv2 layers with concatenated skip
    (as in :class:`GATEncoder`) run over the whole. A gate mixes their output with what the
    weights of a gene's incoming edges say, :math:`s_i` (log number, mean, largest), and the first
    graph's copies are read out,

    .. math::

        u_i = W_u h_i, \quad v_i = W_v s_i, \quad
        g_i = \sigma(W_g [u_i \oplus v_i]), \quad
        z_i = g_i \odot u_i + (1 - g_i) \odot v_i

    (GAT-MLG of the paper, doi:10.1038/s41587-026-03113-4). A copy's input is the gene's learned
    row plus the graph's.

    Parameters
    ----------
    graphs
        Graphs over the nodes, at least one. The first is the reference, whose weights are used.
    n_nodes
        Number of genes.
    n_latent
        Length of an embedding.
    n_input
        Length of the learned rows.
    n_layers, n_heads, n_channels
        Number of layers, heads in each, and channels of each head.
    dropout
        Share of a layer's input dropped in training.
    """

    structure: Tensor

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
        require_graphs(graphs, "gat_mlg")
        if len(graphs) > 1 and n_layers < 2:
            raise ValueError(
                "gat_mlg needs n_layers of at least 2 for several graphs: an edge of another "
                "graph reaches the first graph's copy of a gene in two steps."
            )
        self.edges = TargetSortedEdges(supra_edges(graphs, n_nodes), len(graphs) * n_nodes)
        structure = incoming_weights(graphs[0], n_nodes)
        self.register_buffer("structure", structure, persistent=False)
        self.nodes = nn.Parameter(torch.empty(n_nodes, n_input))
        self.graphs = nn.Parameter(torch.empty(len(graphs), n_input))
        width = n_heads * n_channels
        self.layers = nn.ModuleList(
            GATv2Layer(n_input + i * width, n_channels, n_heads) for i in range(n_layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(n_input + n_layers * width, n_latent)
        self.describe = nn.Linear(structure.shape[1], n_latent)
        self.gate = nn.Linear(2 * n_latent, n_latent)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        nn.init.xavier_uniform_(self.nodes)
        nn.init.xavier_uniform_(self.graphs)
        for layer in (*self.layers, self.project, self.describe, self.gate):
            layer.reset_parameters()

    def forward(self) -> Tensor:
        """Return the embeddings of all nodes, ``(n_nodes, n_latent)``."""
        h = (self.graphs[:, None] + self.nodes).flatten(0, 1)
        for layer in self.layers:
            h = torch.cat([h, F.leaky_relu(layer(self.dropout(h), self.edges))], dim=1)
        attended = self.project(h[: len(self.nodes)])
        described = self.describe(self.structure)
        gate = torch.sigmoid(self.gate(torch.cat([attended, described], dim=1)))
        return torch.lerp(described, attended, gate)
