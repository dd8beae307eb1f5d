"""Sums over the edges into a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def in_float32(function: Callable[..., Tensor], *args: Any) -> Tensor:
    """Apply a function in single precision where mixed precision is on, else as it is.

    Sums over the edges into a node are made this way: with the eight bits of a bfloat16 a sum of
    ones ends at 256.
    """
    device = next(value.device.type for value in args if isinstance(value, Tensor))
    if not torch.is_autocast_enabled(device):
        return function(*args)
    with torch.autocast(device, enabled=False):
        return function(*(_single(value) for value in args))


def _single(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value


def per_head(x: Tensor, alpha: Tensor) -> Tensor:
    """Multiply each head's channels by its weight, in place."""
    n, n_heads = alpha.shape
    x.view(n, n_heads, -1).mul_(alpha[:, :, None])
    return x
