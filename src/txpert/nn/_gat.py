"""GAT: graph attention over the union of the graphs."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ._edges import GraphTensors, TargetSortedEdges, join_edges, log_weights
from ._gat_stack import GATStack
from ._mlp import activated
from ._nodes import Nodes
from ._registry import register_encoder


@register_encoder(
    "gat",
    description="Graph attention (GATv2) over the union of the graphs",
    reference="arXiv:2105.14491",
)
class GATEncoder(nn.Module):
    r"""Perturbation encoder: graph attention over the union of the graphs.

    Layer :math:`l` attends over a gene's incoming edges and itself (GATv2) and is concatenated
    with its own input,

    .. math:: h^{(l+1)} = h^{(l)} \oplus \mathrm{LeakyReLU}(\mathrm{GATv2}(h^{(l)})),

    and a last linear map gives the embeddings (Brody et al., ICLR 2022, arXiv:2105.14491;
    four layers with two heads of 128 in the paper).

    Parameters
    ----------
    graphs
        Graphs over the nodes.
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
        log_weight = log_weights(graphs) if edge_weights else None
        self.edges = TargetSortedEdges(join_edges(graphs), nodes.n, log_weight)
        self.nodes = nodes.embedding(n_input)
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

    def reset_parameters(self) -> None:
        """Reset all learnable parameters."""
        for part in (self.nodes, self.stack, self.project):
            part.reset_parameters()

    def forward(self, wanted: Tensor | None = None) -> Tensor:
        """Return the embeddings of all nodes, or of those wanted, ``(n_nodes, n_latent)``."""
        return self.output(self.project(self.stack(self.nodes(), self.edges, wanted)))
