"""Multilayer perceptrons: layers, and the basal encoder."""

from __future__ import annotations

from torch import Tensor, nn


def hidden_layer(n_in: int, n_out: int, dropout: float) -> nn.Sequential:
    """Return Linear → BatchNorm → LeakyReLU → Dropout."""
    return nn.Sequential(
        nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.LeakyReLU(), nn.Dropout(dropout)
    )


def node_mlp(n_in: int, n_hidden: int, n_out: int, dropout: float) -> nn.Sequential:
    """Return Linear → LeakyReLU → Dropout → Linear, applied to each node independently."""
    return nn.Sequential(
        nn.Linear(n_in, n_hidden), nn.LeakyReLU(), nn.Dropout(dropout), nn.Linear(n_hidden, n_out)
    )


def reset_layers(module: nn.Module) -> None:
    """Reset the learnable parameters of all layers within a module."""
    for layer in module.children():
        reset = getattr(layer, "reset_parameters", None)
        if callable(reset):
            reset()
        else:
            reset_layers(layer)


class BasalMLP(nn.Module):
    """Basal encoder: the state :math:`s` of a cell before it is perturbed.

    A hidden layer and a linear map, ``n_input → n_hidden → n_latent`` (paper, Methods).

    Parameters
    ----------
    n_input
        Dimensionality of a control's profile, or of its precomputed embedding.
    n_latent
        Dimensionality of the latent space.
    n_hidden
        Number of nodes in the hidden layer.
    dropout
        Dropout rate of the hidden layer.
    """

    def __init__(self, n_input: int, n_latent: int, *, n_hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            hidden_layer(n_input, n_hidden, dropout), nn.Linear(n_hidden, n_latent)
        )

    def forward(self, control: Tensor) -> Tensor:
        """Map controls ``(n, n_input)`` to basal states ``(n, n_latent)``."""
        return self.layers(control)
