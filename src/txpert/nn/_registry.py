from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ._gat import GATEncoder

ENCODERS: dict[str, type[nn.Module]] = {"gat": GATEncoder}
"""Perturbation encoders by the name a user gives."""


def make_encoder(
    name: str,
    edge_indices: Sequence[Tensor],
    n_nodes: int,
    n_latent: int,
    options: Mapping[str, Any],
) -> nn.Module:
    """Build the perturbation encoder called ``name``.

    Raises
    ------
    ValueError
        If no encoder has that name.
    """
    if name not in ENCODERS:
        raise ValueError(
            f"There is no encoder {name!r}; choose from {', '.join(sorted(ENCODERS))}."
        )
    return ENCODERS[name](edge_indices, n_nodes, n_latent, **options)
