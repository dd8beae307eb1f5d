"""Training of no more embeddings than it reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ._nodes import NodeEmbedding


@contextmanager
def narrowed(encoder: nn.Module, targets: Tensor) -> Iterator[None]:
    """Make learned embeddings that an encoder reads of some nodes parameters of their own.

    Embeddings that training never reads have no gradient, and Adam leaves them where they are.
    Without them a step costs what the targets and their neighbors do, instead of the whole graph.
    Results are the same.

    Parameters
    ----------
    encoder
        One whose ``forward`` takes the nodes wanted; others are left as they are.
    targets
        Positions of all nodes that training embeds, sorted, each once.
    """
    tables = [module for module in encoder.modules() if isinstance(module, NodeEmbedding)]
    read: dict[NodeEmbedding, Tensor] = {}

    def note(table: NodeEmbedding, inputs: tuple[Any, ...]) -> None:
        if inputs and isinstance(inputs[0], Tensor):
            read[table] = inputs[0]

    handles = [table.register_forward_pre_hook(note) for table in tables]
    was_training = encoder.training
    try:
        with torch.no_grad():
            encoder.eval()
            encoder(targets)
    finally:
        encoder.train(was_training)
        for handle in handles:
            handle.remove()
    for table, rows in read.items():
        table.narrow(rows)
    try:
        yield
    finally:
        for table in read:
            table.widen()
