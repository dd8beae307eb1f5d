"""Scores on graphs that are rewired, thinned out or fewer."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from txpert._benchmark import BenchmarkResult
from txpert._benchmark._ablation import DROPPED, ENCODER, ONLY, REWIRED, WHOLE
from txpert.evaluation._metrics import score_label

from ._benchmark_tables import CEILINGS, mean_ceilings, of_legend, summary_of, whiskers
from ._canvas import Colors, axes_of, closed_on_failure, finish, plain
from ._labels import shown
from ._room import legend_outside

_APART = 1.5
"""Percent of the edges between points of two curves, so that their whiskers can be seen."""


@closed_on_failure
def graph_ablation(
    result: BenchmarkResult,
    metric: str = "pearson_delta",
    *,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Score against the fraction of edges rewired or left out, between baseline and ceilings.

    Dots right of the curves are single graphs and other encoders. Where a curve is flat, the model
    does not use the graph; where it falls to the baseline, the graph is all it has.

    Parameters
    ----------
    result
        From :func:`txpert.ablate_graphs`.
    metric, ax, show, save
        As in :func:`benchmark_bars`.

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If there is no such metric, or the result is of another benchmark.
    ValueError
        If the metric is undefined for every model.

    Examples
    --------
    >>> from functools import partial
    >>> import txpert as tx
    >>> result = tx.ablate_graphs(
    ...     tx.datasets.toy(), tx.datasets.toy_graph(), "unseen_perturbation", rewire=[1], drop=[],
    ...     recipe=partial(tx.tl.fit_baseline, kind="neighbors"), ceiling_repeats=0)
    >>> tx.pl.graph_ablation(result).get_xlabel()
    '% of the edges changed'
    """
    summary = summary_of(result, metric)
    if WHOLE not in summary.index:
        raise KeyError("The result has no model 'whole': it is not from tx.ablate_graphs.")
    ends, what = whiskers(summary)
    table = summary.assign(below=ends[0], above=ends[1])
    ax = axes_of(ax, 5.4, 3.6)
    colors = Colors.of(ax)
    for number, kind in enumerate((REWIRED, DROPPED)):
        _curve(ax, table, kind, colors.categories[number], _APART * number)
    names = _points(ax, table, colors)
    if result.baseline in table.index:
        value = float(table["mean"].to_numpy()[list(table.index).index(result.baseline)])
        label = of_legend(result.baseline, " (baseline)")
        ax.axhline(value, color=colors.soft, linewidth=1.2, label=label)
    for which, value in mean_ceilings(result.ceiling, metric).items():
        called, style = CEILINGS[str(which)]
        ax.axhline(
            value,
            color=colors.target,
            linestyle=style,
            linewidth=1.2,
            label=f"ceiling: {called}",
        )
    ticks = [0.0, 25, 50, 75, 100, *(115 + 12 * i for i in range(len(names)))]
    ax.set_xticks(ticks, ["0", "25", "50", "75", "100", *names], fontsize=8)
    for tick in ax.get_xticklabels()[5:]:
        tick.set(rotation=35, ha="right", rotation_mode="anchor")
    ax.set_xlabel("% of the edges changed")
    ax.set_ylabel(f"{score_label(metric)}\n({what})", fontsize=9)
    plain(ax)
    legend_outside(ax)
    return finish(ax, show, save)


def _curve(ax: Axes, table: pd.DataFrame, kind: str, color: str, shift: float) -> None:
    found = {0.0: WHOLE}
    for name in table.index:
        match = re.fullmatch(rf"{kind} ([\d.]+)%", str(name))
        if match:
            found[float(match[1])] = str(name)
    if len(found) == 1:
        return
    places = sorted(found)
    rows = table.loc[[found[place] for place in places]]
    ax.errorbar(
        np.array(places) + shift,
        rows["mean"],
        rows[["below", "above"]].to_numpy(dtype=float).T,
        color=color,
        marker="o",
        markersize=4,
        linewidth=1.5,
        capsize=2,
        label=f"edges {kind}",
    )


def _points(ax: Axes, table: pd.DataFrame, colors: Colors) -> list[str]:
    """Draw single graphs and encoders, and return their names."""
    names: list[str] = []
    for number, kind in enumerate((ONLY, ENCODER), start=2):
        chosen = [name for name in table.index if str(name).startswith(f"{kind} ")]
        if not chosen:
            continue
        rows = table.loc[chosen]
        places = 115 + 12 * (len(names) + np.arange(len(chosen)))
        label = "one graph" if kind == ONLY else "another encoder"
        ax.errorbar(
            places,
            rows["mean"],
            rows[["below", "above"]].to_numpy(dtype=float).T,
            color=colors.categories[number],
            marker="s",
            markersize=5,
            linestyle="",
            capsize=2,
            label=label,
        )
        names += [shown(str(name).removeprefix(f"{kind} "), 16) for name in chosen]
    return names
