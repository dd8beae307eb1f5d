"""Layers of AnnData by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anndata import AnnData


def named_layers(adata: AnnData) -> dict[str, Any]:
    """Return the layers, without ``X``, which anndata from 0.13 on calls ``layers[None]``."""
    return {name: values for name, values in adata.layers.items() if name is not None}
