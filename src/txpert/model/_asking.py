"""A model asked about one context, for analyses that ask for much at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pandas as pd

from txpert.effects._gene_kernels import GeneKernels

from ._additive import Asked

if TYPE_CHECKING:
    from ._model import TxPertModel


@contextmanager
def asked_of(
    model: TxPertModel, cell_line: str | None = None, modality: str | None = None
) -> Iterator[Asked]:
    """Yield what a model predicts in one context; no other thread changes it meanwhile.

    Raises
    ------
    KeyError
        If the line has no controls, or the modality is not in training.
    ValueError
        If there are several lines and none was named.
    """
    model._check_if_trained(warn=True)
    with model._lock:
        profiles, context = model._one_context(str(model.nodes[0]), cell_line, modality)
        yield Asked(model._ensemble(), profiles, context)


def kernels_among(model: TxPertModel, anchors: pd.Index) -> GeneKernels:
    """Return kernels on a model's graphs and features with anchors of choice."""
    return model._kernels_among(anchors)
