"""Loss and validation score by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ._canvas import Colors, check_axes, closed_on_failure, end, plain, titled
from ._room import wrap_labels

_LOSSES = {"train_loss": "training", "validation_loss": "validation"}
_SCORE = "pearson_delta_validation"
_DECADE = 5
"""Largest over smallest loss from which the axis is logarithmic."""


class Trained(Protocol):
    """A model that remembers its training."""

    history: Mapping[str, pd.DataFrame] | None


@closed_on_failure
def history(
    model: Trained,
    *,
    ax: Axes | np.ndarray[Any, Any] | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Figure | Axes:
    """Loss by epoch, and validation Pearson Δ below it with the best epoch of each fit marked.

    A line between epochs says that another fit begins: of another fold, or of all perturbations.

    Parameters
    ----------
    model
        A trained model.
    ax
        Axes to draw the losses on, or two: for the losses and for the score. By default new ones.
    show, save
        As in :func:`profile`.

    Returns
    -------
    The figure, or the axes where one was given.

    Raises
    ------
    TypeError
        If ``ax`` are no axes.
    ValueError
        If the model was not trained in this session.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import pandas as pd, txpert as tx
    >>> loss = pd.DataFrame([0.4, 0.3, 0.2])
    >>> trained = SimpleNamespace(history={"train_loss": loss, "validation_loss": loss})
    >>> [ax.get_ylabel() for ax in tx.pl.history(trained).axes]  # trained: a trained model
    ['mean squared error']
    """
    records = model.history
    if not records:
        raise ValueError(
            "The model has no history: train it with model.train(), and without a logger of your "
            "own, which would keep it instead."
        )
    scored = _SCORE in records
    if ax is None:
        _, panels = plt.subplots(
            1 + scored,
            figsize=(4.4, 2.3 + 1.7 * scored),
            sharex=True,
            layout="constrained",
            squeeze=False,
        )
        given = panels.ravel()
    else:
        given = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
        for one in given:
            check_axes(one)
    starts = _starts(records)
    _losses(given[0], records, starts)
    if scored and len(given) > 1:
        _score(given[1], records[_SCORE].iloc[:, 0].astype(float), starts)
    given[-1].set_xlabel("epoch")
    wrap_labels(*given)
    end(given[0].figure, show, save)
    return ax if isinstance(ax, Axes) else given[0].figure


def _starts(records: Mapping[str, pd.DataFrame]) -> list[int]:
    """Return the epochs with which fits begin, without the first."""
    if "fit" not in records:
        return []
    number = records["fit"].iloc[:, 0].astype(int)
    return [int(epoch) for epoch in number.index[number.diff() > 0]]


def _parted(values: pd.Series, starts: list[int]) -> pd.Series:
    """Return values by epoch with a gap before each start."""
    within = [start - 0.5 for start in starts if values.index[0] < start <= values.index[-1]]
    gaps = pd.Series(np.nan, index=within)
    return pd.concat([values, gaps]).sort_index() if len(gaps) else values


def _losses(ax: Axes, records: Mapping[str, pd.DataFrame], starts: list[int]) -> None:
    colors = Colors.of(ax)
    for start in starts:
        ax.axvline(start - 0.5, color=colors.faint, linewidth=1, zorder=0)
    shades = dict(zip(_LOSSES, (colors.soft, colors.model), strict=True))
    for name, label in _LOSSES.items():
        if name in records:
            losses = _parted(records[name].iloc[:, 0].astype(float), starts)
            marker = "o" if len(losses) == 1 else None
            ax.plot(losses.index, losses, color=shades[name], marker=marker, label=label)
    ax.set_ylabel("mean squared error")
    low, high = ax.get_ylim()
    if low > 0 and high > _DECADE * low:
        ax.set_yscale("log")
    ax.legend(frameon=False, fontsize=8)
    plain(ax)


def _score(ax: Axes, score: pd.Series, starts: list[int]) -> None:
    colors = Colors.of(ax)
    for start in starts:
        ax.axvline(start - 0.5, color=colors.faint, linewidth=1, zorder=0)
    marker = "o" if len(score) == 1 else None
    drawn = _parted(score, starts)
    ax.plot(drawn.index, drawn, color=colors.model, marker=marker)
    best = _best(score, starts)
    for epoch in best.index:
        ax.axvline(epoch, color=colors.target, linestyle=":", linewidth=1)
    if len(best) == 1:
        titled(ax, f"best: {best.iloc[0]:.3f}, epoch {best.index[0]}", size=8)
    elif len(best):
        titled(ax, f"best of {len(best)} fits: {best.min():.3f} to {best.max():.3f}", size=8)
    ax.set_ylabel("validation Pearson Δ")
    plain(ax)


def _best(score: pd.Series, starts: list[int]) -> pd.Series:
    """Return the best score of each fit that has one, by epoch."""
    known = score.dropna()
    fits = np.searchsorted(starts, known.index, side="right")
    parts = [fit.nlargest(1) for _, fit in known.groupby(fits)]
    return pd.concat(parts) if parts else known
