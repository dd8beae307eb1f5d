"""Mean score of each model of a benchmark, by group or task, between baseline and ceilings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from txpert._benchmark._result import By
from txpert._constants import CELL_LINE, PERTURBATION
from txpert._options import check_names

from ._benchmark_tables import (
    CEILINGS,
    NAME,
    Results,
    finish_models,
    mean_ceilings,
    model_colors,
    of_legend,
    own_model,
    seed_means,
    summary_of,
    whiskers,
)
from ._canvas import Colors, axes_of, closed_on_failure, finish
from ._labels import shown_apart
from ._room import legend_outside


@dataclass(frozen=True)
class _Block:
    """Bars that stand together: the models in one group or task."""

    name: str
    rows: pd.DataFrame
    ceilings: pd.Series
    seeds: pd.Series | None


@closed_on_failure
def benchmark_bars(
    result: Results,
    metric: str = "pearson_delta",
    *,
    by: By | None = None,
    model: str | None = None,
    oracles: Collection[str] = (),
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Mean score of each model, between baseline and ceilings.

    Bars are means over perturbations and seeds; whiskers one standard deviation over seeds (the
    95% bootstrap interval over perturbations where there is one seed), and dots the seeds.
    Horizontal lines are the baseline and what the experiment reaches against itself, so far as
    the metric has such a ceiling. Oracles, which know what no model can, stand apart, open and
    hatched.

    Parameters
    ----------
    result
        From :func:`txpert.benchmark`; or several by name, such as one per task, drawn side by
        side.
    metric
        A column of ``result.scores``.
    by
        Bars for each ``"group"`` of the split, ``"cell_line"`` or ``"fold"`` apart.
    model
        The model that has a color of its own; by default the first that is not the baseline.
    oracles
        Models that are no competitors.
    ax, show, save
        As in :func:`profile`.

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If there is no such metric, model or column.
    ValueError
        If the metric is undefined for every model, or ``oracles`` is no list.

    Examples
    --------
    >>> import txpert as tx
    >>> result = tx.benchmark(
    ...     tx.datasets.toy(), {"mean": "mean"}, task="unseen_perturbation", ceiling_repeats=0,
    ...     enable_progress_bar=False)
    >>> tx.pl.benchmark_bars(result).get_ylabel()
    'Pearson Δ'
    """
    oracles = check_names("oracles", oracles)
    first = next(iter(result.values())) if isinstance(result, Mapping) else result
    own = own_model(first, model, oracles)
    blocks = _blocks(result, metric, by)
    names = list(dict.fromkeys(name for block in blocks for name in block.rows.index))
    names = [name for name in names if name not in oracles] + [n for n in names if n in oracles]
    apart = {name: i + 0.4 * (name in oracles) for i, name in enumerate(names)}
    width = len(names) + 0.4 * bool(oracles) + 0.8
    n_bars = len(names) * len(blocks)
    ax = axes_of(ax, float(np.clip(2.2 + 0.5 * n_bars, 3.6, 9)), 4.0)
    colors = Colors.of(ax)
    one = len(blocks) == 1
    shades = model_colors(names, own, first.baseline, colors, on_axis=one)
    shade_of = dict(zip(names, shades, strict=True))
    for number, block in enumerate(blocks):
        places = np.array([number * width + apart[name] for name in block.rows.index])
        _bars(ax, places, block, shade_of, oracles, colors)
        _lines(ax, places, block, first.baseline, colors, whole=one, first=not number)
    ax.axhline(0, color=colors.ink, linewidth=0.8)
    if one:
        middles = [float(apart[name]) for name in blocks[0].rows.index]
        finish_models(ax, middles, shown_apart(blocks[0].rows.index, NAME), metric)
    else:
        middle = (len(names) - 1) / 2
        middles = [number * width + middle for number in range(len(blocks))]
        finish_models(ax, middles, shown_apart([block.name for block in blocks], NAME), metric)
        ax.set_xlim(-0.8, middles[-1] + middle + 0.8)
        for name in names:
            look = _look(name, shade_of, oracles, colors)
            ax.bar([0], [np.nan], label=of_legend(name), **look)
    if ax.get_legend_handles_labels()[0]:
        legend_outside(ax)
    return finish(ax, show, save)


def _blocks(result: Results, metric: str, by: By | None) -> list[_Block]:
    several = result if isinstance(result, Mapping) else {"": result}
    blocks = []
    for name, one in several.items():
        whole = summary_of(one, metric)
        if by is None:
            seeds = seed_means(one, metric)
            blocks.append(_Block(name, whole, mean_ceilings(one.ceiling, metric), seeds))
            continue
        ceiling = one.ceiling
        if by not in ceiling:
            keys = ["seed", "fold", PERTURBATION, CELL_LINE]
            ceiling = ceiling.merge(one.scores[[*keys, by]].drop_duplicates(keys), on=keys)
        for group, rows in one.summary(metric, by=by).groupby(by, sort=False):
            ceilings = mean_ceilings(ceiling[ceiling[by] == group], metric)
            label = ", ".join(filter(None, [name, str(group) or "no group"]))
            blocks.append(_Block(label, rows.set_index("model"), ceilings, None))
    return blocks


def _look(
    name: str, shades: Mapping[str, str], oracles: Collection[str], colors: Colors
) -> dict[str, Any]:
    if name in oracles:
        return {"facecolor": "none", "edgecolor": colors.soft, "hatch": "//", "linewidth": 1}
    return {"facecolor": shades[name], "alpha": 0.85}


def _bars(
    ax: Axes,
    places: np.ndarray,
    block: _Block,
    shades: Mapping[str, str],
    oracles: Collection[str],
    colors: Colors,
) -> None:
    mean = block.rows["mean"].to_numpy(dtype=float)
    bars = ax.bar(places, mean, width=0.7, linewidth=0, zorder=1)
    for bar, name in zip(bars, block.rows.index, strict=True):
        bar.set(**_look(name, shades, oracles, colors))
    ends, what = whiskers(block.rows)
    label = None if any(what in text for text in ax.get_legend_handles_labels()[1]) else what
    ax.errorbar(
        places,
        mean,
        ends,
        fmt="none",
        color=colors.ink,
        linewidth=1,
        capsize=3,
        zorder=3,
        label=label,
    )
    for place, name in zip(places, block.rows.index, strict=True):
        if block.seeds is not None:
            values = block.seeds.loc[name].to_numpy()
            across = place + np.linspace(-0.3, 0.3, len(values) + 2)[1:-1]
            ax.scatter(across, values, s=14, color=colors.ink, linewidth=0, zorder=4)
    for place in places[np.isnan(mean)]:
        ax.annotate(
            "undefined",
            (place, 0),
            xytext=(0, 4),
            textcoords="offset points",
            rotation=90,
            ha="center",
            va="bottom",
            fontsize=7,
            color=colors.soft,
        )


def _lines(
    ax: Axes,
    places: np.ndarray,
    block: _Block,
    baseline: str | None,
    colors: Colors,
    *,
    whole: bool,
    first: bool,
) -> None:
    """Draw baseline and ceilings over the block, or over the whole axes."""
    lines = []
    if baseline is not None and baseline in block.rows.index:
        value = block.rows["mean"].to_numpy(dtype=float)[list(block.rows.index).index(baseline)]
        lines.append((value, colors.soft, "-", of_legend(baseline, " (baseline)")))
    for kind, value in block.ceilings.items():
        label, style = CEILINGS[str(kind)]
        lines.append((float(value), colors.target, style, f"ceiling: {label}"))
    for value, color, style, label in lines:
        shared: dict[str, Any] = {
            "color": color,
            "linestyle": style,
            "linewidth": 1.2,
            "zorder": 2,
        }
        label = label if first else "_nolegend_"
        if whole:
            ax.axhline(value, label=label, **shared)
        else:
            ax.plot([places.min() - 0.5, places.max() + 0.5], [value] * 2, label=label, **shared)
