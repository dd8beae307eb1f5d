"""How often each model of a benchmark is best, second best and so on."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from txpert._benchmark import BenchmarkResult
from txpert.evaluation._metrics import metric_of, score_label

from ._benchmark_tables import NAME, wide_scores
from ._canvas import Colors, axes_of, closed_on_failure, finish, plain, titled
from ._labels import shown_apart
from ._room import legend_outside


@closed_on_failure
def benchmark_ranks(
    result: BenchmarkResult,
    metric: str = "pearson_delta",
    *,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """How often each model is best, second best and so on, over perturbations.

    Seeds are averaged first. Models that score the same share the better rank, and a score that is
    undefined comes last. The models are in the order of their mean rank.

    Parameters
    ----------
    result, metric, ax, show, save
        As in :func:`benchmark_bars`.

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If there is no such metric.
    ValueError
        If it is undefined for every model.

    Examples
    --------
    >>> import txpert as tx
    >>> result = tx.benchmark(
    ...     tx.datasets.toy(), {"mean": "mean"}, task="unseen_perturbation", ceiling_repeats=0,
    ...     enable_progress_bar=False)
    >>> tx.pl.benchmark_ranks(result).get_xlabel()
    'fraction of perturbations'
    """
    table = wide_scores(result, metric)
    values = -table if metric_of(metric).higher_is_better else table
    ranks = values.round(9).rank(axis=1, method="min", na_option="bottom").astype(int)
    mean = ranks.mean().sort_values(ascending=False, kind="stable")
    ax = axes_of(ax, 5.4, 1.2 + 0.35 * len(mean))
    left = np.zeros(len(mean))
    ends = (0.95, 0.2) if Colors.of(ax).dark else (0.05, 0.95)  # the best stands out
    colors = plt.get_cmap("viridis")(np.linspace(*ends, len(mean)))
    for rank, color in enumerate(colors, start=1):
        fraction = (ranks[mean.index] == rank).mean().to_numpy()
        place = np.arange(len(mean))
        ax.barh(place, fraction, left=left, color=color, label=str(rank), height=0.75)
        left += fraction
    called = shown_apart(mean.index, NAME)
    names = [f"{name} ({rank:.1f})" for name, rank in zip(called, mean, strict=True)]
    ax.set_yticks(np.arange(len(mean)), names, fontsize=8)
    ax.set(xlim=(0, 1), xlabel="fraction of perturbations")
    titled(ax, f"{score_label(metric)}, rank (mean rank)")
    plain(ax)
    legend_outside(ax, title="rank", n_columns=10)
    return finish(ax, show, save)
