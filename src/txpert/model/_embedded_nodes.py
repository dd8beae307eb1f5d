"""Embeddings of all nodes, kept while the encoder stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class EmbeddedNodes(NamedTuple):
    """Embeddings of all nodes, and what they were computed from."""

    encoder: nn.Module
    state: list[Tensor]
    embeddings: Tensor

    def holds(self, encoder: nn.Module, state: Sequence[Tensor]) -> bool:
        """Whether an encoder with this state still embeds nodes so."""
        same = encoder is self.encoder and len(state) == len(self.state)
        return same and all(map(_equal, state, self.state))


def _equal(one: Tensor, other: Tensor) -> bool:
    if one.layout != torch.strided:  # sparse ones cannot be compared
        return False
    return (one.device, one.dtype) == (other.device, other.dtype) and torch.equal(one, other)
