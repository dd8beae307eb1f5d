"""Multilayer perceptrons: layers, and the basal encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def hidden_layer(n_in: int, n_out: int, dropout: float) -> nn.Sequential:
    """Return Linear → BatchNorm → LeakyReLU → Dropout."""
    return nn.Sequential(
        nn.Linear(n_in, n_out), BatchNorm(n_out), nn.LeakyReLU(), nn.Dropout(dropout)
    )


class BatchNorm(nn.BatchNorm1d):
    """Batch normalization in which a unit that never varied in training stays as it was there.

    Where all rows have the same controls (one batch, one control cell), the variance vanishes,
    and dividing by it in evaluation multiplies rounding errors.
    """

    varied: Tensor

    def __init__(self, n_units: int) -> None:
        super().__init__(n_units)
        self.register_buffer("varied", torch.zeros(n_units, dtype=torch.bool))

    def forward(self, input: Tensor) -> Tensor:
        """Normalize ``(n, n_units)``; a single row is normalized as in evaluation."""
        if self.training and len(input) > 1:
            with torch.no_grad():
                size = input.abs().amax(dim=0)
                self.varied |= (input.amax(dim=0) - input.amin(dim=0)) > 1e-4 * size
            return super().forward(input)
        normalized = functional.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )
        return (
            normalized
            if not self.num_batches_tracked
            else torch.where(self.varied, normalized, self.bias)
        )


def node_mlp(n_in: int, n_hidden: int, n_out: int, dropout: float) -> nn.Sequential:
    """Return Linear → LeakyReLU → Dropout → Linear, applied to each node independently."""
    return nn.Sequential(
        nn.Linear(n_in, n_hidden), nn.LeakyReLU(), nn.Dropout(dropout), nn.Linear(n_hidden, n_out)
    )


def activated(dropout: float, active: bool) -> nn.Module:
    """Return LeakyReLU → Dropout, or what leaves its input as it is."""
    return nn.Sequential(nn.LeakyReLU(), nn.Dropout(dropout)) if active else nn.Identity()


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
        # Controls differ by less than half precision resolves.
        with torch.autocast(control.device.type, enabled=False):
            return self.layers(control.to(next(self.parameters()).dtype))
