"""Similarity of predicted and observed Δ, for the loss."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

Similarity = Literal["cosine", "pearson"]


def delta_similarity(predicted: Tensor, observed: Tensor, kind: Similarity) -> Tensor:
    """Return the cosine or the Pearson correlation between rows of Δ, ``(n,)``; 0 if undefined.

    Parameters
    ----------
    predicted, observed
        Δ, ``(n, n_genes)``.
    kind
        ``"cosine"`` or ``"pearson"``.

    Raises
    ------
    ValueError
        If the kind is unknown.
    """
    if kind == "pearson":
        predicted, observed = (x - x.mean(dim=1, keepdim=True) for x in (predicted, observed))
    elif kind != "cosine":
        raise ValueError(f"similarity must be 'cosine' or 'pearson', not {kind!r}.")
    return F.cosine_similarity(predicted, observed, dim=1)
