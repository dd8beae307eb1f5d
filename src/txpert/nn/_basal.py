from __future__ import annotations

from torch import Tensor, nn

from ._mlp import hidden_layer


class BasalMLP(nn.Module):
    """Basal encoder: the state :math:`s` of a cell before it is perturbed.

    A hidden layer and a linear map, ``n_input → n_hidden → n_latent`` (paper, Methods).

    Parameters
    ----------
    n_input
        Length of what describes a control: its profile, or a precomputed embedding.
    n_latent
        Length of the state.
    n_hidden
        Width of the hidden layer.
    dropout
        Share of hidden units dropped in training.
    """

    def __init__(self, n_input: int, n_latent: int, *, n_hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            hidden_layer(n_input, n_hidden, dropout), nn.Linear(n_hidden, n_latent)
        )

    def forward(self, control: Tensor) -> Tensor:
        """Map controls ``(n, n_input)`` to basal states ``(n, n_latent)``."""
        return self.layers(control)
