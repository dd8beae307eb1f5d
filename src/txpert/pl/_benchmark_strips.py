"""Score of every perturbation under each model of a benchmark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from txpert._benchmark import BenchmarkResult

from ._benchmark_tables import NAME, finish_models, model_colors, own_model, wide_scores
from ._canvas import Colors, axes_of, closed_on_failure, dots, finish, titled
from ._labels import shown_apart

_MOST_JOINED = 200
"""Perturbations up to which a line connects the scores of each."""


@closed_on_failure
def benchmark_strips(
    result: BenchmarkResult,
    metric: str = "pearson_delta",
    *,
    model: str | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Score of every perturbation under each model, with the mean; seeds are averaged.

    Thin lines connect the same perturbation under different models, up to 200 perturbations.

    Parameters
    ----------
    result, metric, model, ax, show, save
        As in :func:`benchmark_bars`.

    Returns
    -------
    The axes. A model with scores undefined says how many.

    Raises
    ------
    KeyError
        If there is no such metric or model.
    ValueError
        If the metric is undefined for every model.

    Examples
    --------
    >>> import txpert as tx
    >>> result = tx.benchmark(
    ...     tx.datasets.toy(), {"mean": "mean"}, task="unseen_perturbation", ceiling_repeats=0,
    ...     enable_progress_bar=False)
    >>> tx.pl.benchmark_strips(result).get_ylabel()
    'Pearson Δ'
    """
    table = wide_scores(result, metric)
    own = own_model(result, model)
    ax = axes_of(ax, 1.4 + 0.75 * table.shape[1], 4.0)
    colors = Colors.of(ax)
    shades = model_colors(list(table.columns), own, result.baseline, colors)
    offset = np.random.default_rng(0).uniform(-0.2, 0.2, len(table))
    labels = []
    names = shown_apart(table, NAME)
    for place, (name, color, called) in enumerate(zip(table, shades, names, strict=True)):
        values = table[name].to_numpy(dtype=float)
        known = np.isfinite(values)
        ax.scatter(
            place + offset[known],
            values[known],
            color=color,
            zorder=2,
            **dots(len(table)),
        )
        if known.any():
            mean = values[known].mean()
            ax.hlines(
                mean,
                place - 0.34,
                place + 0.34,
                color=colors.ink,
                linewidth=2,
                zorder=3,
            )
        lacking = int((~known).sum())
        labels.append(f"{called}\n({lacking} undefined)" if lacking else called)
    if len(table) <= _MOST_JOINED:
        across = np.arange(table.shape[1])
        segments = [
            np.column_stack([across + shift, row])
            for shift, row in zip(offset, table.to_numpy(dtype=float), strict=True)
        ]
        ax.add_collection(LineCollection(segments, colors=colors.faint, linewidths=0.6, zorder=1))
    finish_models(ax, [float(place) for place in range(len(labels))], labels, metric)
    titled(ax, "each dot a perturbation; line: mean", size=9)
    return finish(ax, show, save)
