"""What decides the outcome of a training, as text: checkpoints of another one are refused."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from torch import nn

from txpert.data import ConditionTable


def describe(model: Any, table: ConditionTable, options: Mapping[str, Any]) -> dict[str, str]:
    """Return what must not change between the parts of a training, by name."""
    module: nn.Module = model.module
    shapes = [(name, tuple(value.shape)) for name, value in module.state_dict().items()]
    constant = set(dict(module.named_buffers())) - set(module.state_dict())
    held = [module.get_buffer(name).cpu() for name in sorted(constant)]
    # Sparse ones are made of the graphs.
    buffers = [buffer.numpy() for buffer in held if buffer.layout == torch.strided]
    graphs = [(graph.source, graph.target, graph.weight) for graph in model.graphs]
    controls = table.controls
    embedding = () if controls.embedding is None else (controls.embedding,)
    return {
        "data": _digest(table.obs.to_csv(), list(table.genes), table.mean, *embedding),
        "model": _digest(
            repr(module),
            shapes,
            list(model.nodes),
            *(array for arrays in graphs for array in arrays),
            *buffers,
        ),
        **{name: repr(named(value)) for name, value in options.items()},
    }


def named(value: Any) -> Any:
    """Return a value with functions by name, since their text has an address."""
    if isinstance(value, Mapping):
        return {name: named(item) for name, item in value.items()}
    if isinstance(value, list):
        return [named(item) for item in value]
    if isinstance(value, tuple):
        return tuple(named(item) for item in value)
    if isinstance(value, partial):
        return named((value.func, value.args, value.keywords))
    if not callable(value):
        return value
    of = value if hasattr(value, "__qualname__") else type(value)
    return f"{of.__module__}.{of.__qualname__}"


def _digest(*parts: Any) -> str:
    """Hash content: arrays by their bytes, all else by its text."""
    digest = sha256()
    for part in parts:
        array = isinstance(part, np.ndarray)
        digest.update(np.ascontiguousarray(part).tobytes() if array else f"{part}\n".encode())
    return digest.hexdigest()
