from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ._edges import GraphTensors, normalised_adjacency
from ._nodes import Nodes
from ._precision import in_float32
from ._registry import register_encoder


@register_encoder("sgc")
class SGCEncoder(nn.Module):
    r"""Perturbation encoder: linear propagation over the union of the graphs, as in GEARS.

    .. math::

        Z = \hat A^K H W + b, \qquad \hat A = D^{-1/2} (A + I) D^{-1/2}, \qquad
        D_{ii} = 1 + \sum_j A_{ij},

    where :math:`A_{ij}` is the weight of edge :math:`j \to i`, the largest of all graphs', and
    :math:`H` holds a row per gene (Wu et al., ICML 2019, arXiv:1902.07153; Roohani et al.,
    Nature Biotechnology 2023, doi:10.1038/s41587-023-01905-6).

    Parameters
    ----------
    graphs
        Graphs over the nodes; weights are used.
    nodes
        The genes.
    n_latent
        Length of an embedding.
    n_input
        Length of a node's input row.
    n_hops
        Number of steps :math:`K`.
    """

    adjacency: Tensor

    def __init__(
        self,
        graphs: Sequence[GraphTensors],
        nodes: Nodes,
        n_latent: int,
        *,
        n_input: int = 64,
        n_hops: int = 1,
    ) -> None:
        super().__init__()
        self.register_buffer("adjacency", normalised_adjacency(graphs, nodes.n), persistent=False)
        self.n_hops = n_hops
        self.nodes = nodes.rows(n_input)
        self.project = nn.Linear(n_input, n_latent)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        self.nodes.reset_parameters()
        self.project.reset_parameters()

    def forward(self) -> Tensor:
        """Return the embeddings of all nodes, ``(n_nodes, n_latent)``."""
        h = self.nodes()
        for _ in range(self.n_hops):
            h = in_float32(torch.sparse.mm, self.adjacency, h)
        return self.project(h)
