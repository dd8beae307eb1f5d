"""The room that text has in a figure: titles and labels are wrapped, legends moved, to fit it."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

NAME_ROOM = 0.085
"""Inches that each of several names in a row or column needs."""
_WIDE = 4.5
"""Inches of a column from which a legend may stand at its right."""
_SURE = 0.96
"""Fraction of the room that is taken: text is a little wider at another resolution."""
_ROUNDS = 4
"""Times that labels are broken and laid out at most."""


def width_of(ax: Axes) -> float:
    """Return the inches that the axes have, with their labels: the column of the figure."""
    left, right = _column(ax)
    return (right - left) * ax.figure.figure.get_figwidth()


def height_of(ax: Axes) -> float:
    """Return the inches that the axes have, with their labels: the row of the figure."""
    low, high = _row(ax)
    return (high - low) * ax.figure.figure.get_figheight()


def wrap_labels(*axes: Axes) -> None:
    """Break titles and labels of axes into lines where they would stick out of the figure.

    Constrained layout makes room across a label, not along it. Lines take room, too, so that
    what fits is looked at again.
    """
    labels = [(ax, text) for ax in axes for text in (ax.title, ax.xaxis.label, ax.yaxis.label)]
    whole = [text.get_text() for _, text in labels]
    for _ in range(_ROUNDS):
        axes[0].figure.figure.draw_without_rendering()
        wrapped = [
            _wrap(text, original, *_length_and_room(ax, text))
            for (ax, text), original in zip(labels, whole, strict=True)
        ]
        if not any(wrapped):
            return


def legend_below(ax: Axes, n_columns: int = 2, **options: Any) -> None:
    """Draw a legend under the labels of the axes, in the middle of their column of the figure."""
    wrap_labels(ax)
    labels = ax.xaxis.get_tightbbox()
    bottom = ax.bbox.y0 if labels is None else labels.y0
    down = (ax.bbox.y0 - bottom) / ax.figure.dpi + 0.06
    _legend(ax, n_columns, -down, **options)


def legend_above(ax: Axes, n_columns: int = 3, **options: Any) -> None:
    """Draw a legend on top of the axes, in the middle of their column of the figure."""
    _legend(ax, n_columns, 0.02, **options)


def legend_outside(ax: Axes, n_columns: int = 2, **options: Any) -> None:
    """Draw a legend right of the axes, or under them where they are narrow."""
    if width_of(ax) < _WIDE:
        legend_below(ax, n_columns, **options)
        return
    options |= {"frameon": False, "fontsize": 7, "title_fontsize": 7}
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), **options)


def _legend(ax: Axes, n_columns: int, up: float, **options: Any) -> None:
    """Draw a legend ``up`` inches from the axes, in as many columns as there is room for."""
    move = ScaledTranslation(0, up, ax.figure.figure.dpi_scale_trans)
    place = blended_transform_factory(ax.figure.transSubfigure, ax.transAxes + move)
    left, right = _column(ax)
    for number in range(n_columns, 0, -1):
        legend = ax.legend(
            fontsize=7,
            title_fontsize=7,
            frameon=False,
            ncols=number,
            loc="upper center" if up < 0 else "lower center",
            bbox_to_anchor=((left + right) / 2, 0 if up < 0 else 1),
            bbox_transform=place,
            borderaxespad=0,
            columnspacing=1,
            **options,
        )
        if legend.get_window_extent().width <= (right - left) * ax.figure.bbox.width:
            return


def _column(ax: Axes) -> tuple[float, float]:
    """Return where the column of the axes begins and ends, as fractions of the figure."""
    place = ax.get_subplotspec()
    if place is None:
        return 0.0, 1.0
    n = place.get_gridspec().ncols
    return place.colspan.start / n, place.colspan.stop / n


def _row(ax: Axes) -> tuple[float, float]:
    place = ax.get_subplotspec()
    if place is None:
        return 0.0, 1.0
    n = place.get_gridspec().nrows
    return 1 - place.rowspan.stop / n, 1 - place.rowspan.start / n


def _length_and_room(ax: Axes, text: Text) -> tuple[float, float]:
    """Return the pixels that a label takes along itself, and those that it has."""
    box, figure = text.get_window_extent(), ax.figure.bbox
    if text is ax.yaxis.label:
        low, high = (figure.y0 + figure.height * end for end in _row(ax))
        middle = (ax.bbox.y0 + ax.bbox.y1) / 2
        return box.height, 2 * min(middle - low, high - middle)
    left, right = (figure.x0 + figure.width * end for end in _column(ax))
    middle = (ax.bbox.x0 + ax.bbox.x1) / 2
    return box.width, 2 * min(middle - left, right - middle)


def _wrap(text: Text, whole: str, length: float, room: float) -> bool:
    """Break a text into lines that fit the room, and return whether it had to be."""
    room *= _SURE
    if length <= room or not whole:
        return False
    longest = max(map(len, text.get_text().split("\n")))
    most = max(8, min(longest - 1, int(longest * room / length)))
    broken = "\n".join(_even(line, most) for line in whole.split("\n"))
    changed = broken != text.get_text()
    text.set_text(broken)
    return changed


def _even(line: str, most: int) -> str:
    """Break a line into as few lines as may be, of similar lengths."""
    n = len(wrap(line, most, break_long_words=False))
    while most > 1 and len(wrap(line, most - 1, break_long_words=False)) == n:
        most -= 1
    return "\n".join(wrap(line, most, break_long_words=False))
