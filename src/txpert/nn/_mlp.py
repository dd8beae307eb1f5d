from __future__ import annotations

from torch import nn


def hidden_layer(n_in: int, n_out: int, dropout: float) -> nn.Sequential:
    """Return Linear → BatchNorm → LeakyReLU → Dropout."""
    return nn.Sequential(
        nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.LeakyReLU(), nn.Dropout(dropout)
    )
