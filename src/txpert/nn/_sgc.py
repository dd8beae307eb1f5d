from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import coalesce

from ._edges import GraphTensors, adjacency, join_edges
from ._registry import register_encoder


@register_encoder("sgc")
class SGCEncoder(nn.Module):
    r"""Perturbation encoder: linear propagation over the union of the graphs, as in GEARS.

    .. math::

        Z = \big(D^{-1/2} (A + I) D^{-1/2}\big)^K H W + b, \qquad
        D_{ii} = 1 + \sum_j A_{ij},

    where :math:`A_{ij}` is the weight of edge :math:`j \to i`, the largest of all graphs', and
    :math:`H` holds a learned row per gene (Wu et al., ICML 2019, arXiv:1902.07153; Roohani et al.,
    Nature Biotechnology 2023, doi:10.1038/s41587-023-01905-6).

    Parameters
    ----------
    graphs
        Graphs over the nodes; weights are used.
    n_nodes
        Number of genes.
    n_latent
        Length of an embedding.
    n_input
        Length of a node's learned input row.
    n_hops
        Number of steps :math:`K`.
    """

    adjacency: Tensor

    def __init__(
        self,
        graphs: Sequence[GraphTensors],
        n_nodes: int,
        n_latent: int,
        *,
        n_input: int = 64,
        n_hops: int = 1,
    ) -> None:
        super().__init__()
        weight = torch.cat([*(graph.weight for graph in graphs), torch.empty(0)])
        edges, weight = coalesce(join_edges(graphs), weight, num_nodes=n_nodes, reduce="max")
        edges, weight = gcn_norm(edges, weight, num_nodes=n_nodes)
        self.register_buffer("adjacency", adjacency(edges, weight, n_nodes), persistent=False)
        self.n_hops = n_hops
        self.nodes = nn.Parameter(torch.empty(n_nodes, n_input))
        self.project = nn.Linear(n_input, n_latent)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        nn.init.xavier_uniform_(self.nodes)
        self.project.reset_parameters()

    def forward(self) -> Tensor:
        """Return the embeddings of all nodes, ``(n_nodes, n_latent)``."""
        h: Tensor = self.nodes
        for _ in range(self.n_hops):
            h = torch.sparse.mm(self.adjacency, h)
        return self.project(h)
