from __future__ import annotations

from torch import Tensor, nn

from ._mlp import hidden_layer


class BasalMLP(nn.Module):
    """Basal encoder: the state :math:`s` of a cell before it is perturbed.

    A hidden layer and a linear map, ``n_genes → n_hidden → n_latent`` (paper, Methods).

    Parameters
    ----------
    n_genes
        Length of a control profile.
    n_latent
        Length of the state.
    n_hidden
        Width of the hidden layer.
    dropout
        Share of hidden units dropped in training.
    """

    def __init__(self, n_genes: int, n_latent: int, *, n_hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            hidden_layer(n_genes, n_hidden, dropout), nn.Linear(n_hidden, n_latent)
        )

    def forward(self, control: Tensor) -> Tensor:
        """Map control profiles ``(n, n_genes)`` to basal states ``(n, n_latent)``."""
        return self.layers(control)
