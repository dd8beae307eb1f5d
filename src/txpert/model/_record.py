"""What a model is and how it was trained, in plain values that go into ``uns`` of a prediction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from txpert._constants import CELL_LINE, PERTURBATION
from txpert.data._predictor import TRAINED_ON

_SETTINGS = (
    "encoder",
    "decoding",
    "combination",
    "matching",
    "components",
    "n_latent",
    "n_hidden",
    "dropout",
)
_LIBRARIES = ("txpert", "scvi-tools", "torch", "anndata", "numpy")


@cache
def versions() -> dict[str, str]:
    """Return the versions of this package and of the libraries that decide its numbers."""
    return {name: version(name) for name in _LIBRARIES}


def settings_of(init_params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that a model was made with, without graphs and arrays.

    Parameters
    ----------
    init_params
        What scvi-tools keeps of the constructor's arguments.
    """
    given = {**init_params["non_kwargs"], **init_params["kwargs"]}
    return storable({name: given[name] for name in _SETTINGS if name in given})


def record(
    kind: str,
    settings: Mapping[str, Any],
    training: Mapping[str, Any],
    graphs: Iterable[str],
    trained_on: list[tuple[str, str]],
) -> dict[str, Any]:
    """Return what goes into ``uns["txpert"]`` of a prediction; it survives ``write_h5ad``.

    Parameters
    ----------
    kind
        Name of the class.
    settings
        From :func:`settings_of`.
    training
        How the model was trained: options, number of epochs, seed and hash of the split.
    graphs
        Names of the graphs.
    trained_on
        Perturbation and cell line of what was trained on.
    """
    seen = pd.DataFrame(trained_on, columns=[PERTURBATION, CELL_LINE])
    found: dict[str, Any] = {
        "model": kind,
        "versions": versions(),
        "settings": settings,
        "training": training,
        "graphs": np.array([*graphs], dtype=object),
        TRAINED_ON: seen.set_axis(seen.index.astype(str)),
    }
    return {name: value for name, value in found.items() if len(value)}


def storable(value: Any) -> Any:
    """Return a value as AnnData can store it: no ``None``, tuples as arrays, the rest as text."""
    if isinstance(value, Mapping):
        plain = {str(k).replace("/", "_"): storable(v) for k, v in value.items() if v is not None}
        return {name: part for name, part in plain.items() if not _is_empty(part)}
    if isinstance(value, list | tuple):
        of_text = any(isinstance(item, str) for item in value)
        return np.array([str(v) for v in value] if of_text else value, object if of_text else None)
    plain_type = isinstance(value, str | bool | int | float | np.number | np.ndarray)
    return value if plain_type else str(value)


def _is_empty(value: Any) -> bool:
    return isinstance(value, dict | np.ndarray) and not len(value)
