"""Loss and validation score by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

_LOSSES = {"train_loss": "training", "validation_loss": "validation"}
_SCORE = "pearson_delta_validation"


class Trained(Protocol):
    """A model that remembers its training."""

    history: Mapping[str, pd.DataFrame] | None


def history(model: Trained, *, ax: Axes | None = None) -> Axes:
    """Loss by epoch, and validation Pearson Δ on a second axis with its best epoch marked.

    Parameters
    ----------
    model
        A trained model.
    ax
        Axes to draw on; by default new ones.

    Returns
    -------
    The axes of the losses.

    Raises
    ------
    ValueError
        If the model was not trained in this session.
    """
    records = model.history
    if not records:
        raise ValueError("The model has no history; train it first: model.train().")
    ax = plt.subplots(figsize=(5, 3.4))[1] if ax is None else ax
    for name, label in _LOSSES.items():
        if name in records:
            losses = records[name].iloc[:, 0].astype(float)
            ax.plot(losses.index, losses, label=f"{label} loss")
    ax.set_xlabel("epoch")
    ax.set_ylabel("mean squared error")
    ax.set_yscale("log")
    handles, labels = ax.get_legend_handles_labels()
    if _SCORE in records:
        score = records[_SCORE].iloc[:, 0].astype(float)
        right = ax.twinx()
        right.plot(score.index, score, color="C2", label="validation Pearson Δ")
        right.axvline(int(score.to_numpy().argmax()), color="C2", linestyle=":", linewidth=1)
        right.set_ylabel("Pearson Δ")
        more_handles, more_labels = right.get_legend_handles_labels()
        handles, labels = handles + more_handles, labels + more_labels
    ax.legend(
        handles,
        labels,
        frameon=False,
        fontsize=8,
        ncols=3,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
    )
    return ax
