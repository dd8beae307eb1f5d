from __future__ import annotations

from torch import nn


def hidden_layer(n_in: int, n_out: int, dropout: float) -> nn.Sequential:
    """Return Linear → BatchNorm → LeakyReLU → Dropout."""
    return nn.Sequential(
        nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.LeakyReLU(), nn.Dropout(dropout)
    )


def node_mlp(n_in: int, n_hidden: int, n_out: int, dropout: float) -> nn.Sequential:
    """Return Linear → LeakyReLU → Dropout → Linear, which treats every node by itself."""
    return nn.Sequential(
        nn.Linear(n_in, n_hidden), nn.LeakyReLU(), nn.Dropout(dropout), nn.Linear(n_hidden, n_out)
    )


def reset_layers(module: nn.Module) -> None:
    """Draw the parameters of all layers within a module anew."""
    for layer in module.children():
        reset = getattr(layer, "reset_parameters", None)
        if callable(reset):
            reset()
        else:
            reset_layers(layer)
