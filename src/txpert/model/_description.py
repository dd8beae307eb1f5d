"""What decides the outcome of a training, as text: checkpoints of another one are refused."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import nn

from txpert._fingerprint import fingerprint
from txpert._fingerprint._data import parts_of_data
from txpert.data import ConditionTable


def describe(model: Any, table: ConditionTable, options: Mapping[str, Any]) -> dict[str, str]:
    """Return what must not change between the parts of a training, by name."""
    module: nn.Module = model.module
    shapes = [(name, tuple(value.shape)) for name, value in module.state_dict().items()]
    constant = set(dict(module.named_buffers())) - set(module.state_dict())
    held = [module.get_buffer(name) for name in sorted(constant)]
    # Sparse ones are made of the graphs.
    buffers = [buffer for buffer in held if buffer.layout == torch.strided]
    graphs = [(graph.source, graph.target, graph.weight) for graph in model.graphs]
    controls = table.controls
    embedding = () if controls.embedding is None else (controls.embedding,)
    return {
        "data": fingerprint(table.obs.to_csv(), _names(table.genes), table.mean, *embedding),
        "model": fingerprint(repr(module), repr(shapes), _names(model.nodes), graphs, buffers),
        **{name: repr(_hashed(named(value))) for name, value in options.items()},
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


def _hashed(value: Any) -> Any:
    """Return a value with data by their hash, since the text of long ones leaves some out."""
    if isinstance(value, Mapping):
        return {name: _hashed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_hashed(item) for item in value]
    if isinstance(value, tuple):
        return tuple(_hashed(item) for item in value)
    if parts_of_data(value) is None:
        return value
    return f"{type(value).__name__} {fingerprint(value)}"


def _names(names: pd.Index) -> npt.NDArray[np.object_]:
    """Return names in a form of which the content counts and not files of that name."""
    return np.array([str(name) for name in names], dtype=object)
