from __future__ import annotations

import torch
from torch import Tensor, nn

from ._mlp import hidden_layer


class Decoder(nn.Module):
    """Decoder :math:`g` from a latent state to genes, ``n_latent → n_hidden → n_genes``.

    Its output is linear: an expression profile or a Δ, as the module uses it.

    Parameters
    ----------
    n_latent
        Length of the latent state.
    n_genes
        Number of genes.
    n_hidden
        Width of the hidden layer.
    dropout
        Share of hidden units dropped in training.
    """

    def __init__(self, n_latent: int, n_genes: int, *, n_hidden: int, dropout: float) -> None:
        super().__init__()
        self.hidden = hidden_layer(n_latent, n_hidden, dropout)
        self.output = nn.Linear(n_hidden, n_genes)

    def start_from(self, mean: Tensor) -> None:
        """Make ``mean``, ``(n_genes,)``, the centre of untrained predictions."""
        with torch.no_grad():
            self.output.bias.copy_(mean)

    def forward(self, latent: Tensor) -> Tensor:
        """Map latent states ``(n, n_latent)`` to genes ``(n, n_genes)``."""
        return self.output(self.hidden(latent))
