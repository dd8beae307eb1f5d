"""Figures of a benchmark: means with intervals, perturbations one by one, and ranks."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from txpert._benchmark import BenchmarkResult
from txpert._constants import CELL_LINE, PERTURBATION
from txpert.evaluation._metrics import metric_of, score_label, score_names

from ._labels import shown
from ._results import one_of

_CEILINGS = {
    "split_half": ("halves of the data", ":"),
    "full_size": ("repeated experiment", "--"),
    "noise_free": ("perfect prediction", "-."),
}


def benchmark_bars(
    result: BenchmarkResult, metric: str = "pearson_delta", *, ax: Axes | None = None
) -> Axes:
    """Mean score of each model, between baseline and ceilings.

    Bars are means over seeds, whiskers 95% bootstrap intervals over perturbations, and dots the
    seeds. Horizontal lines are the baseline and what the experiment reaches against itself, so far
    as the metric has such a ceiling.

    Parameters
    ----------
    result
        From :func:`txpert.benchmark`.
    metric
        A column of ``result.scores``.
    ax
        Axes to draw on; by default new ones.

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If there is no such metric.
    ValueError
        If it is undefined for every model.
    """
    summary = _summary(result, metric)
    place = np.arange(len(summary))
    ax = _axes(len(summary)) if ax is None else ax
    colors = ["0.65" if name == result.baseline else "C0" for name in summary.index]
    mean = summary["mean"].to_numpy(dtype=float)
    ax.bar(place, mean, width=0.65, color=colors, alpha=0.55, linewidth=0, zorder=1)
    whiskers = np.abs(summary[["low", "high"]].to_numpy(dtype=float).T - mean)
    ax.errorbar(place, mean, whiskers, fmt="none", color="0.2", linewidth=1, capsize=3, zorder=3)
    _seeds(ax, result, metric, list(summary.index))
    _undefined(ax, mean)
    if result.baseline in summary.index:
        value = float(mean[list(summary.index).index(result.baseline)])
        ax.axhline(
            value,
            color="0.5",
            linewidth=1,
            zorder=2,
            label=f"{_of_legend(result.baseline)} (baseline)",
        )
    for kind, value in _ceilings(result, metric).items():
        label, style = _CEILINGS[str(kind)]
        ax.axhline(
            value, color="C3", linestyle=style, linewidth=1, zorder=0, label=f"ceiling: {label}"
        )
    ax.axhline(0, color="0.2", linewidth=0.8)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return _finish(ax, [shown(name) for name in summary.index], metric)


def benchmark_strips(
    result: BenchmarkResult, metric: str = "pearson_delta", *, ax: Axes | None = None
) -> Axes:
    """Score of every perturbation under each model, with the median; seeds are averaged.

    Parameters
    ----------
    result, metric, ax
        As in :func:`benchmark_bars`.

    Returns
    -------
    The axes. A model with scores undefined says how many.

    Raises
    ------
    KeyError
        If there is no such metric.
    ValueError
        If it is undefined for every model.
    """
    table = _table(result, metric)
    ax = _axes(table.shape[1]) if ax is None else ax
    rng = np.random.default_rng(0)
    labels = []
    for place, name in enumerate(table):
        values = table[name].dropna().to_numpy()
        color = "0.5" if name == result.baseline else "C0"
        across = place + rng.uniform(-0.22, 0.22, len(values))
        ax.scatter(across, values, s=14, color=color, alpha=0.6, linewidth=0)
        if len(values):
            ax.hlines(np.median(values), place - 0.32, place + 0.32, color="0.2", linewidth=1.8)
        lacking = len(table) - len(values)
        labels.append(f"{shown(name)}\n({lacking} undefined)" if lacking else shown(name))
    return _finish(ax, labels, metric)


def benchmark_ranks(
    result: BenchmarkResult, metric: str = "pearson_delta", *, ax: Axes | None = None
) -> Axes:
    """How often each model is best, second best and so on, over perturbations.

    Seeds are averaged first. Models that score the same share the better rank, and a score that is
    undefined comes last. The models are in the order of their mean rank.

    Parameters
    ----------
    result, metric, ax
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
    """
    table = _table(result, metric)
    values = -table if metric_of(metric).higher_is_better else table
    ranks = values.round(9).rank(axis=1, method="min", na_option="bottom").astype(int)
    mean = ranks.mean().sort_values(ascending=False, kind="stable")
    ax = plt.subplots(figsize=(5.2, 1.2 + 0.4 * len(mean)))[1] if ax is None else ax
    left = np.zeros(len(mean))
    colors = plt.get_cmap("viridis_r")(np.linspace(0.95, 0.05, len(mean)))
    for rank, color in enumerate(colors, start=1):
        share = (ranks[mean.index] == rank).mean().to_numpy()
        ax.barh(np.arange(len(mean)), share, left=left, color=color, label=str(rank), height=0.75)
        left += share
    ax.set_yticks(
        np.arange(len(mean)), [f"{shown(name)} ({rank:.1f})" for name, rank in mean.items()]
    )
    ax.set(xlim=(0, 1), xlabel="fraction of perturbations")
    ax.legend(title="rank", frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    ax.set_title(f"{score_label(metric)}, rank (mean rank)", fontsize=10)
    return ax


def _summary(result: BenchmarkResult, metric: str) -> pd.DataFrame:
    one_of(metric, score_names(), "metric")
    summary = result.summary(metric).set_index("model")
    if summary["mean"].isna().all():
        raise ValueError(f"{metric} is undefined for every model: {summary['note'].iloc[0]}.")
    return summary


def _table(result: BenchmarkResult, metric: str) -> pd.DataFrame:
    """Return perturbation × cell line by model, averaged over seeds."""
    names = list(_summary(result, metric).index)
    rows = [PERTURBATION, CELL_LINE]
    means = result.scores.groupby(["model", *rows])[metric].mean()
    return means.unstack("model")[names]


def _axes(n_models: int) -> Axes:
    return plt.subplots(figsize=(1.6 + 0.75 * n_models, 3.6))[1]


def _seeds(ax: Axes, result: BenchmarkResult, metric: str, names: list[str]) -> None:
    of_seed = result.scores.groupby(["model", "seed"])[metric].mean()
    for place, name in enumerate(names):
        values = of_seed.loc[name].to_numpy()
        across = place + np.linspace(-0.3, 0.3, len(values) + 2)[1:-1]
        ax.scatter(across, values, s=16, color="0.15", linewidth=0, zorder=4)


def _undefined(ax: Axes, mean: np.ndarray) -> None:
    for place in np.flatnonzero(np.isnan(mean)):
        ax.annotate(
            "undefined",
            (place, 0),
            xytext=(0, 4),
            textcoords="offset points",
            rotation=90,
            ha="center",
            va="bottom",
            fontsize=8,
            color="0.4",
        )


def _ceilings(result: BenchmarkResult, metric: str) -> pd.Series:
    if metric not in result.ceiling:
        return pd.Series(dtype=float)
    means = result.ceiling.groupby(["kind", "seed"], sort=False)[metric].mean()
    return means.groupby("kind", sort=False).mean().dropna()


def _of_legend(name: object) -> str:
    # Matplotlib leaves labels that start with an underscore out of legends.
    text = shown(name)
    return f"\u200b{text}" if text.startswith("_") else text


def _finish(ax: Axes, labels: list[str], metric: str) -> Axes:
    ax.set_xticks(np.arange(len(labels)), labels, rotation=30, ha="right", rotation_mode="anchor")
    ax.set_xlim(-0.6, len(labels) - 0.4)
    ax.set_ylabel(score_label(metric))
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return ax
