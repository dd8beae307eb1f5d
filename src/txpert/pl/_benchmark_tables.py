"""What figures of a benchmark have in common: their tables, colors and axes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from txpert._benchmark import BenchmarkResult
from txpert._constants import CELL_LINE, PERTURBATION
from txpert.evaluation._metrics import score_label, score_names

from ._canvas import Colors, plain
from ._labels import shown
from ._results import one_of

Results = BenchmarkResult | Mapping[str, BenchmarkResult]
CEILINGS = {
    "split_half": ("halves of the data", ":"),
    "full_size": ("repeated experiment", "--"),
    "noise_free": ("perfect prediction", "-."),
}
"""What each kind of ceiling is called, and the style of its line."""
NAME = 28
"""Characters of a model's name that are drawn."""


def summary_of(result: BenchmarkResult, metric: str) -> pd.DataFrame:
    """Return the summary of one metric, by model.

    Raises
    ------
    KeyError
        If there is no such metric.
    ValueError
        If it is undefined for every model.
    """
    one_of(metric, score_names(), "metric")
    summary = result.summary(metric).set_index("model")
    if summary["mean"].isna().all():
        raise ValueError(f"{metric} is undefined for every model: {summary['note'].iloc[0]}.")
    return summary


def wide_scores(result: BenchmarkResult, metric: str) -> pd.DataFrame:
    """Return perturbation × cell line by model, averaged over seeds."""
    names = list(summary_of(result, metric).index)
    rows = [PERTURBATION, CELL_LINE]
    means = result.scores.groupby(["model", *rows])[metric].mean()
    return means.unstack("model")[names]


def own_model(result: BenchmarkResult, model: str | None, oracles: Collection[str] = ()) -> str:
    """Return the name of the model that has a color of its own.

    Raises
    ------
    KeyError
        If there is no such model.
    """
    names = result.models
    if model is not None:
        return one_of(model, names, "model")
    others = [name for name in names if name != result.baseline and name not in oracles]
    return others[0] if others else names[0]


def model_colors(
    names: list[str], own: str, baseline: str | None, colors: Colors, *, on_axis: bool = True
) -> list[str]:
    """Return a color for each model: the first for one, gray for the baseline.

    Others that the axis names are all light gray where there are more of them than colors, which
    would mean nothing then.
    """
    shades = {own: colors.model}
    if baseline is not None and baseline != own:
        shades[baseline] = colors.soft
    others = [name for name in names if name not in shades]
    rest = colors.categories[1:]
    if on_axis and len(others) > len(rest):
        rest = (colors.faint,)
    shades |= {name: rest[i % len(rest)] for i, name in enumerate(others)}
    return [shades[name] for name in names]


def of_legend(name: object, extra: str = "") -> str:
    """Return a label; Matplotlib leaves out those that start with an underscore."""
    text = f"{shown(name, NAME)}{extra}"
    return f"\u200b{text}" if text.startswith("_") else text


def finish_models(ax: Axes, places: list[float], labels: list[str], metric: str) -> None:
    """Name models below the axes and the metric on the other axis."""
    ax.set_xticks(places, labels, rotation=30, ha="right", rotation_mode="anchor", fontsize=8)
    ax.set_xlim(min(places) - 0.6, max(places) + 0.6)
    ax.set_ylabel(score_label(metric))
    plain(ax)


def mean_ceilings(ceiling: pd.DataFrame, metric: str) -> pd.Series:
    """Return the mean ceiling of each kind that the metric has."""
    if metric not in ceiling or ceiling.empty:
        return pd.Series(dtype=float)
    means = ceiling.groupby(["kind", "seed"], sort=False)[metric].mean()
    return means.groupby("kind", sort=False).mean().dropna()


def seed_means(result: BenchmarkResult, metric: str) -> pd.Series:
    """Return the mean score of each model and seed."""
    return result.scores.groupby(["model", "seed"])[metric].mean()


def whiskers(rows: pd.DataFrame) -> tuple[np.ndarray, str]:
    """Return lengths of whiskers below and above, ``(2, n)``, and what they are.

    The standard deviation over seeds where there are several, else the 95% interval over
    perturbations.
    """
    if (rows["n_seeds"] > 1).all():
        sd = rows["sd"].to_numpy(dtype=float)
        return np.stack([sd, sd]), f"± sd over {int(rows['n_seeds'].max())} seeds"
    mean = rows["mean"].to_numpy(dtype=float)
    ends = rows[["low", "high"]].to_numpy(dtype=float).T
    return np.abs(ends - mean), "95% interval over perturbations"
