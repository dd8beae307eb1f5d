"""Figures of report.py: cost on two logarithmic axes, the bound dashed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

MEASURED, BOUND = "#1f5a99", "#999999"
COLORS = ("#1f5a99", "#d1741f", "#3a8f5c", "#8a4fa3", "#b3a125", "#555555")
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
}


def scaling(frame: pd.DataFrame, panels: dict[tuple[str, str], str], path: Path) -> None:
    """Draw seconds and bound along each axis, one panel each.

    Parameters
    ----------
    frame
        Rows of scaling.json.
    panels
        Label of the x axis by question and axis.
    path
        File to write.
    """
    panels = {key: label for key, label in panels.items() if len(_points(frame, *key))}
    n_columns = 2 if len(panels) in (2, 4) else 3
    n_rows = -(-len(panels) // n_columns)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            n_rows, n_columns, figsize=(2.7 * n_columns, 2.5 * n_rows), sharey="row", squeeze=False
        )
        for ax in axes.flat[len(panels) :]:
            ax.set_visible(False)
        for ax, (key, label) in zip(axes.flat, panels.items(), strict=False):
            points = _points(frame, *key)
            ax.plot(points["value"], points["cpu_seconds"], "o-", color=MEASURED, ms=4)
            ax.plot(points["value"], points["bound_seconds"], "--", color=BOUND)
            _logarithmic(ax, points["value"])
            ax.set_xlabel(label)
        last = _points(frame, *next(iter(panels))).iloc[-1]
        first_ax = axes.flat[0]
        for column, name, color in (
            ("cpu_seconds", "measured", MEASURED),
            ("bound_seconds", "bound", BOUND),
        ):
            _name(first_ax, last["value"], last[column], name, color)
        for row in axes:
            row[0].set_ylabel("seconds, one thread")
            _tick_seconds(row[0])
        _save(figure, path)


def curves(frame: pd.DataFrame, axes: dict[str, tuple[str, str]], path: Path) -> None:
    """Draw seconds, with their bound, and memory of each tool, one column for each axis.

    Parameters
    ----------
    frame
        Rows with axis, value, tool, seconds, bound and peak_gb.
    axes
        Label and what the seconds are of, by axis.
    path
        File to write.
    """
    axes = {axis: names for axis, names in axes.items() if (frame["axis"] == axis).any()}
    tools = list(dict.fromkeys(frame["tool"]))
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(
            2, len(axes), figsize=(2.6 * len(axes), 4.8), sharex="col", sharey="row", squeeze=False
        )
        for (seconds, memory), (axis, (label, what)) in zip(panels.T, axes.items(), strict=True):
            here = frame[frame["axis"] == axis].sort_values("value")
            for color, tool in zip(COLORS, tools, strict=False):
                points = here[here["tool"] == tool]
                seconds.plot(points["value"], points["seconds"], "o-", color=color, ms=4)
                memory.plot(points["value"], points["peak_gb"], "o-", color=color, ms=4)
            bound = here.drop_duplicates("value")
            seconds.plot(bound["value"], bound["bound"], "--", color=BOUND)
            for ax in (seconds, memory):
                _logarithmic(ax, here["value"])
            seconds.set_title(what, fontsize=9)
            memory.set_xlabel(label)
        panels[0, 0].set_ylabel("seconds, one thread")
        panels[1, 0].set_ylabel("memory, GB")
        _tick_seconds(panels[0, 0])
        _tick_seconds(panels[1, 0])
        lines = [plt.Line2D([], [], color=color) for color, _ in zip(COLORS, tools, strict=False)]
        lines.append(plt.Line2D([], [], color=BOUND, ls="--"))
        figure.legend(
            lines,
            [*tools, "bound"],
            frameon=False,
            loc="upper center",
            bbox_to_anchor=(0.5, 0),
            ncols=len(lines),
        )
        _save(figure, path)


def streaming(frame: pd.DataFrame, path: Path) -> None:
    """Draw seconds of a pass against cells, one line per form of storage."""
    with plt.rc_context(STYLE):
        figure, ax = plt.subplots(figsize=(4.2, 2.9))
        for color, (form, part) in zip(COLORS, frame.groupby("form"), strict=False):
            points = part.sort_values("cells")
            ax.plot(points["cells"], points["cpu_seconds"], "o-", ms=4, color=color, label=form)
        bound = frame.drop_duplicates("cells").sort_values("cells")
        ax.plot(bound["cells"], bound["bound_seconds"], "--", color=BOUND, label="bound")
        _logarithmic(ax, frame["cells"])
        _tick_seconds(ax)
        ax.set(xlabel="cells (2,000 genes, a tenth not zero)", ylabel="seconds, one thread")
        ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        _save(figure, path)


def training(frames: dict[str, pd.DataFrame], path: Path) -> None:
    """Draw the validation score against the seconds of training, one panel per size."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, len(frames), figsize=(3.4 * len(frames), 2.9), sharey=True, squeeze=False
        )
        models = list(dict.fromkeys(m for frame in frames.values() for m in frame["model"]))
        color_of = dict(zip(models, COLORS * len(models), strict=False))
        for ax, (size, frame) in zip(axes.flat, frames.items(), strict=True):
            for _, row in frame.iterrows():
                seconds, score = zip(*row["curve"], strict=True)
                ax.plot(
                    seconds,
                    pd.Series(score).cummax(),
                    color=color_of[row["model"]],
                    lw=1.2,
                    alpha=0.8,
                )
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter(FuncFormatter(_short))
            ax.set(xlabel="seconds of training", title=size)
        axes[0, 0].set_ylabel("best validation Pearson Δ so far")
        lines = [plt.Line2D([], [], color=color_of[model]) for model in models]
        figure.legend(
            lines, models, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2
        )
        _save(figure, path)


def _points(frame: pd.DataFrame, question: str, axis: str) -> pd.DataFrame:
    found = frame[(frame["question"] == question) & (frame["axis"] == axis)]
    return found.sort_values("value")


def _logarithmic(ax: Axes, values: Iterable[float]) -> None:
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(_spaced(sorted(set(values))))
    ax.margins(y=0.18)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(_short))
        axis.set_minor_formatter(NullFormatter())
    ax.tick_params(which="minor", length=0)


def _tick_seconds(ax: Axes) -> None:
    """Label powers of ten, and what is between where they are few."""
    low, high = ax.get_ylim()
    subs = (1.0, 2.0, 5.0) if high < 50 * low else (1.0,)
    ax.yaxis.set_major_locator(LogLocator(subs=subs))


def _spaced(values: list[float]) -> list[float]:
    """Return values that are far enough apart for labels."""
    kept = values[:1]
    for value in values[1:]:
        if value / kept[-1] >= 1.9:
            kept.append(value)
    return kept


def _short(value: float, _: int) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _name(ax: Axes, x: float, y: float, text: str, color: str) -> None:
    ax.annotate(text, (x, y), (-4, 7), textcoords="offset points", color=color, ha="right")


def _save(figure: plt.Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)
