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


class LowRankDecoder(nn.Module):
    r"""Decoder of a change by few directions of change.

    .. math:: \hat\Delta = |P|\, b + W z\, V

    Training starts with the mean effect :math:`b` and the leading principal components :math:`V`
    of the training perturbations' effects, and changes them as need be. So a hundred perturbations
    do where the many weights of an MLP would fit noise.

    Parameters
    ----------
    n_latent
        Length of the latent state.
    n_genes
        Number of genes.
    n_components
        Number of directions.
    """

    def __init__(self, n_latent: int, n_genes: int, *, n_components: int = 32) -> None:
        super().__init__()
        self.scores = nn.Linear(n_latent, n_components)
        self.components = nn.Parameter(torch.zeros(n_components, n_genes))
        self.mean = nn.Parameter(torch.zeros(n_genes))

    def start_from(self, effects: Tensor) -> None:
        """Take mean and principal components from effects, ``(n_perturbations, n_genes)``."""
        centred = effects - effects.mean(dim=0)
        _, size, directions = torch.linalg.svd(centred, full_matrices=False)
        scaled = size[:, None] * directions / len(effects) ** 0.5
        with torch.no_grad():
            self.mean.copy_(effects.mean(dim=0))
            self.components.zero_()
            n = min(len(scaled), len(self.components))
            self.components[:n] = scaled[:n]

    def forward(self, latent: Tensor, order: Tensor) -> Tensor:
        """Map latent states ``(n, n_latent)`` to changes ``(n, n_genes)``.

        Parameters
        ----------
        latent
            Latent states.
        order
            Number of targets, ``(n, 1)``; without any there is no change.
        """
        change = self.scores(latent) @ self.components + order * self.mean
        return change * (order > 0)
