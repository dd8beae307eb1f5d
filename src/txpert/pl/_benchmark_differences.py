"""Differences of one model to the others of a benchmark, with their tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from txpert._analysis._differences import paired_differences
from txpert._benchmark import BenchmarkResult
from txpert.evaluation._metrics import metric_of, score_label

from ._benchmark_tables import NAME, own_model, summary_of
from ._canvas import Colors, axes_of, closed_on_failure, finish, plain, titled
from ._labels import scientific, shown, shown_apart


@closed_on_failure
def benchmark_differences(
    result: BenchmarkResult,
    metric: str = "pearson_delta",
    *,
    model: str | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Mean difference of one model to each of the others on the same perturbations.

    Dots are mean paired differences (seeds averaged first), bars their 95% bootstrap intervals
    over perturbations; next to them are the P values of the Wilcoxon signed-rank test after
    Holm's correction. An interval that does not cross 0 is filled.

    Parameters
    ----------
    result, metric, model, ax, show, save
        As in :func:`benchmark_bars`; ``model`` is the one that is compared.

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If there is no such metric or model.
    ValueError
        If the metric is undefined for every model, or there is nothing to compare with.

    Examples
    --------
    >>> import txpert as tx
    >>> result = tx.benchmark(
    ...     tx.datasets.toy(), {"mean": "mean"}, task="unseen_perturbation", ceiling_repeats=0,
    ...     enable_progress_bar=False)
    >>> tx.pl.benchmark_differences(result).get_title()
    'mean minus …'
    """
    summary_of(result, metric)
    own = own_model(result, model)
    table = paired_differences(result.scores, metric, own)[::-1].reset_index(drop=True)
    if table.empty:
        raise ValueError(f"There is no model besides {own!r} to compare with.")
    ax = axes_of(ax, 5.4, 1.3 + 0.36 * len(table))
    colors = Colors.of(ax)
    ax.axvline(0, color=colors.soft, linewidth=1, zorder=0)
    for place, (_, row) in enumerate(table.iterrows()):
        if not np.isfinite(row["difference"]):
            continue
        clear = row["low"] > 0 or row["high"] < 0
        ax.hlines(place, row["low"], row["high"], color=colors.model, linewidth=2)
        face = colors.model if clear else colors.paper
        ax.scatter(
            row["difference"], place, s=40, facecolor=face, edgecolor=colors.model, zorder=3
        )
    ax.set_yticks(np.arange(len(table)), shown_apart(table["model"], NAME))
    heading = "P (Wilcoxon, Holm)"
    ax.text(1.02, 1, heading, transform=ax.transAxes, va="bottom", fontsize=7, color=colors.soft)
    notes = [_note(p, n) for p, n in zip(table["p_adjusted"], table["n"], strict=True)]
    for place, note in enumerate(notes):
        ax.text(1.02, place, note, transform=ax.get_yaxis_transform(), va="center", fontsize=8)
    ax.set_ylim(-0.6, len(table) - 0.4)
    better = "right" if metric_of(metric).higher_is_better else "left"
    ax.set_xlabel(f"difference in {score_label(metric)}\n({better} of 0 it is better)")
    titled(ax, f"{shown(own, NAME)} minus …")
    plain(ax)
    return finish(ax, show, save)


def _note(p_value: float, n: int) -> str:
    if not n:
        return "undefined"
    if np.isnan(p_value):
        return f"n = {n:,}"
    return f"{scientific(p_value)}, n = {n:,}"
