"""GAT-MLG: graph attention over a multilayer graph.

``torch_geometric.data.HeteroData.to_homogeneous`` takes 1.0 times as long for the supra-graph
(``benchmarks/libraries.py``), in more lines.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from ._edges import GraphTensors, TargetSortedEdges, log_weights, require_graphs
from ._gat_stack import GATStack
from ._mlp import activated
from ._nodes import Nodes
from ._registry import register_encoder


def supra_edges(graphs: Sequence[GraphTensors], n_nodes: int) -> Tensor:
    """Return the edges of the supra-graph, ``(2, n_edges)``.

    Node ``g * n_nodes + i`` is the copy of gene ``i`` in graph ``g``. Edges of a graph join its
    own copies; all copies of a gene are connected.
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


@register_encoder(
    "gat_mlg",
    description="Graph attention over a multilayer graph with a copy of each gene per graph",
    reference="doi:10.1038/s41587-026-03113-4",
    multi_graph=True,
)
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

    (GAT-MLG of the paper, doi:10.1038/s41587-026-03113-4). A copy's input is the gene's row plus a
    learned one of the graph.

    Parameters
    ----------
    graphs
        Graphs over the nodes, at least one. The first is the reference.
    nodes
        The genes.
    n_latent
        Dimensionality of the embeddings.
    n_input
        Dimensionality of a node's input.
    n_layers, n_heads, n_channels
        Number of layers, heads in each, and channels of each head.
    dropout
        Dropout rate of a layer's input.
    edge_weights
        Let attention follow the weights of the edges, to a learned degree.
    activate_output
        Apply activation and dropout to the whole output of each layer, its skip path included,
        and to the embeddings, as the published implementation does.
    """

    structure: Tensor

    def __init__(
        self,
        graphs: Sequence[GraphTensors],
        nodes: Nodes,
        n_latent: int,
        *,
        n_input: int = 64,
        n_layers: int = 4,
        n_heads: int = 2,
        n_channels: int = 128,
        dropout: float = 0.2,
        edge_weights: bool = False,
        activate_output: bool = False,
    ) -> None:
        super().__init__()
        require_graphs(graphs, "gat_mlg")
        if len(graphs) > 1 and n_layers < 2:
            raise ValueError(
                "gat_mlg needs n_layers of at least 2 for several graphs: an edge of another "
                "graph reaches the first graph's copy of a gene in two steps."
            )
        edges = supra_edges(graphs, nodes.n)
        log_weight = None
        if edge_weights:
            within = log_weights(graphs)
            log_weight = torch.cat([within, torch.zeros(edges.shape[1] - len(within))])
        self.edges = TargetSortedEdges(edges, len(graphs) * nodes.n, log_weight)
        structure = incoming_weights(graphs[0], nodes.n)
        self.register_buffer("structure", structure, persistent=False)
        self.nodes = nodes.embedding(n_input)
        self.graphs = nn.Parameter(torch.empty(len(graphs), n_input))
        self.stack = GATStack(
            n_input,
            n_layers=n_layers,
            n_heads=n_heads,
            n_channels=n_channels,
            dropout=dropout,
            weighted=edge_weights,
            activate_output=activate_output,
        )
        self.project = nn.Linear(self.stack.n_output, n_latent)
        self.output = activated(dropout, activate_output)
        self.describe = nn.Linear(structure.shape[1], n_latent)
        self.gate = nn.Linear(2 * n_latent, n_latent)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Reset all learnable parameters."""
        nn.init.xavier_uniform_(self.graphs)
        for part in (self.nodes, self.stack, self.project, self.describe, self.gate):
            part.reset_parameters()

    def forward(self, wanted: Tensor | None = None) -> Tensor:
        """Return the embeddings of all nodes, or of those wanted, ``(n_nodes, n_latent)``."""
        # The copies of the first graph come first, so nodes are their positions.
        everywhere = torch.arange(len(self.structure), device=self.structure.device)
        reference = everywhere if wanted is None else wanted
        h = (self.graphs[:, None] + self.nodes()).flatten(0, 1)
        attended = self.project(self.stack(h, self.edges, reference))
        described = self.describe(self.structure[reference])
        gate = torch.sigmoid(self.gate(torch.cat([attended, described], dim=1)))
        return self.output(torch.lerp(described, attended, gate))
