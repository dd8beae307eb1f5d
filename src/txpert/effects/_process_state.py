"""The Gaussian process as plain arrays, for saving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from txpert._types import FloatArray

from ._contexts import Context, ContextFactors
from ._covariance import Rows
from ._directions import Directions


def state_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain arrays and strings from the fields of a process."""
    rows, directions = fields["rows"], fields["directions"]
    mean, weights = fields["mean"], fields["weights"]
    members = rows.members.tocoo()
    contexts = rows.contexts.contexts
    return {
        "targets": rows.targets.to_numpy(dtype=str),
        "row": members.row,
        "target": members.col,
        "count": members.data,
        "cell_lines": np.array([context.cell_line for context in contexts], dtype=str),
        "modalities": np.array([context.modality for context in contexts], dtype=str),
        "context": rows.context,
        "row_noise": rows.noise,
        "kernels": np.array(fields["kernels"], dtype=str),
        "log_variances": fields["log_variances"],
        "axes": directions.axes,
        "edges": np.array(directions.edges),
        "n_rest": directions.n_rest,
        "mean": np.concatenate(mean[:-1]) if len(mean) > 1 else np.zeros(0),
        "mean_rest": mean[-1],
        "weights": np.concatenate(weights[:-1], axis=1)
        if len(weights) > 1
        else np.zeros((len(rows), 0), np.float32),
        "weights_rest": weights[-1],
        "noise": fields["noise"],
        "scale": dict(fields["scale"]),
    }


def fields_of(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a process from what :func:`state_of` returned."""
    targets = pd.Index(state["targets"].astype(object))
    shape = len(state["context"]), len(targets)
    entries = state["count"], (state["row"], state["target"])
    pairs = zip(state["cell_lines"].tolist(), state["modalities"].tolist(), strict=True)
    contexts = ContextFactors.of([Context(*pair) for pair in pairs])
    members = sparse.csr_array(entries, shape=shape)
    edges = [int(edge) for edge in state["edges"]]
    inner = edges[1:-1]
    return {
        "rows": Rows(targets, members, contexts, state["context"], state["row_noise"]),
        "kernels": state["kernels"].tolist(),
        "log_variances": state["log_variances"],
        "directions": Directions(state["axes"], edges, int(state["n_rest"])),
        "mean": [*_blocks(state["mean"], inner, len(edges) > 1), state["mean_rest"]],
        "weights": [*_blocks(state["weights"], inner, len(edges) > 1), state["weights_rest"]],
        "noise": state["noise"],
        "scale": {str(k): float(v) for k, v in state["scale"].items()},
    }


def _blocks(values: FloatArray, edges: list[int], some: bool) -> list[FloatArray]:
    return np.split(values, edges, axis=-1) if some else []
