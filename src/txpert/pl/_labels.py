"""Names in figures: as Matplotlib shows them, and next to their points."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from adjustText import adjust_text
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Text

from txpert._options import check_whole
from txpert._types import BoolArray, FloatArray, IntArray

from ._canvas import Colors, check_axes
from ._room import wrap_labels

_LONGEST = 40
_NEAR = 150
"""Number of points that labels keep clear of, those nearest to labeled ones."""
_ROUNDS, _QUICK, _MOST_MOVED = 300, 12, 60
"""Rounds of moving labels, labels up to which there are as many, and up to which any moves."""
_MOST_UNCROSSED = 20
"""Labels up to which lines to points are kept from crossing."""
_RADIUS, _ALSO_RADIUS = 3.0, 6.0
"""Pixels from the center of a labeled point to its edge, and of one that always is."""


def shown(name: object, longest: int = _LONGEST) -> str:
    """Return a name as Matplotlib shows it: no formula, in one line, shortened in the middle."""
    text = " ".join(str(name).split())
    if len(text) > longest:
        end = (longest - 1) // 2
        text = f"{text[: longest - 1 - end]}…{text[len(text) - end :]}"
    return text.replace("$", r"\$")


def shown_apart(names: Iterable[object], longest: int = _LONGEST) -> list[str]:
    """Return names as :func:`shown`; those that shortening makes equal are numbered."""
    whole, times = list(map(str, names)), Counter[str]()
    texts = {}
    for name in dict.fromkeys(whole):
        text = shown(name, longest)
        times[text] += 1
        texts[name] = text if times[text] == 1 else f"{text} ({times[text]})"
    return [texts[name] for name in whole]


def delta_label(what: str, of_effects: bool) -> str:
    """Return the label of an axis of Δ with its unit, which that of a table of effects is not."""
    return what if of_effects else f"{what} (log1p)"


def scientific(value: float) -> str:
    """Return a number of two digits, as a power of ten where it is small."""
    text = f"{value:.2g}"
    if "e" not in text:
        return text
    digits, power = text.split("e")
    return rf"{digits}×10$^{{{int(power)}}}$"


def check_drawing(n_labels: int, ax: Axes | None) -> None:
    """Refuse a number of labels or axes that are none, before anything is drawn.

    Raises
    ------
    TypeError
        If ``ax`` are no axes.
    ValueError
        If ``n_labels`` is no whole number of at least 0.
    """
    check_whole("n_labels", n_labels, least=0)
    check_axes(ax)


def label_points(
    ax: Axes,
    x: FloatArray,
    y: FloatArray,
    names: Sequence[str],
    order: Iterable[int],
    *,
    n_labels: int,
    color: str,
    also: Iterable[int] = (),
    also_color: str | None = None,
    longest: int = 18,
) -> None:
    """Name the first ``n_labels`` points of ``order``, and those of ``also``, at their points.

    Labels are moved off each other and off points (adjustText), and a line leads to a point that
    its label had to leave. Points outside the axes get none. Titles and labels of the axes must
    be there: they decide how large the axes are. The more labels, the less they are moved, and
    beyond 60 not at all.
    """
    others = list(also)
    first = [i for i in order if i not in set(others)][:n_labels]
    drawn = [(i, also_color or color) for i in others] + [(i, color) for i in first]
    inside = _inside(ax, x, y)
    drawn = [(i, shade) for i, shade in drawn if inside[i]]
    if not drawn:
        return
    labeled = [i for i, _ in drawn]
    called = shown_apart((names[i] for i in labeled), longest)
    paper = withStroke(linewidth=1.5, foreground=Colors.of(ax).paper)
    texts = [
        ax.text(
            x[i],
            y[i],
            name,
            fontsize=7,
            color=shade,
            zorder=6,
            path_effects=[paper],
        )
        for (i, shade), name in zip(drawn, called, strict=True)
    ]
    wrap_labels(ax)
    if len(texts) <= _MOST_MOVED:
        _move(ax, texts, x, y, labeled, others, color)
    for text in texts:
        text.set_in_layout(False)


def _move(
    ax: Axes,
    texts: list[Text],
    x: FloatArray,
    y: FloatArray,
    labeled: list[int],
    others: list[int],
    color: str,
) -> None:
    """Move labels off each other and off points, in a time that does not grow with them."""
    near = _nearest(x, y, labeled)
    radius = np.where(np.isin(labeled, others), _ALSO_RADIUS, _RADIUS)
    edges = _edges(ax, np.column_stack([x, y])[labeled], radius)
    rounds = int(_ROUNDS * min(1, _QUICK / len(texts)) ** 2.5)
    with _quiet():
        adjust_text(
            texts,
            x=np.concatenate([x[near], edges[:, 0]]),
            y=np.concatenate([y[near], edges[:, 1]]),
            ax=ax,
            expand=(1.08, 1.25),
            force_text=(0.3, 0.4),
            max_move=(20, 20),
            prevent_crossings=len(texts) <= _MOST_UNCROSSED,
            iter_lim=rounds,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.5, "shrinkA": 1},
            zorder=5,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep adjustText from saying in every round that a label is wider than the axes."""
    logger = logging.getLogger("adjustText")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _inside(ax: Axes, x: FloatArray, y: FloatArray) -> BoolArray:
    (x_low, x_high), (y_low, y_high) = sorted(ax.get_xlim()), sorted(ax.get_ylim())
    return (x >= x_low) & (x <= x_high) & (y >= y_low) & (y <= y_high)


def _edges(ax: Axes, points: FloatArray, radius: FloatArray) -> FloatArray:
    """Return places at the edges of points, which have a size, for labels to keep clear of."""
    center = ax.transData.transform(points)
    around = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1], [0, 1], [0, -1], [1, 0], [-1, 0]])
    places = center[:, None] + radius[:, None, None] * around
    return ax.transData.inverted().transform(places.reshape(-1, 2))


def _nearest(x: FloatArray, y: FloatArray, labeled: list[int]) -> IntArray:
    """Return the positions of the points nearest to labeled ones, in units of the data's range."""
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if len(known) <= _NEAR:
        return known
    scale = np.array([np.ptp(x[known]) or 1, np.ptp(y[known]) or 1])
    points = np.column_stack([x, y]) / scale
    gap = np.full(len(known), np.inf)
    for i in labeled:
        gap = np.minimum(gap, np.square(points[known] - points[i]).sum(axis=1))
    return known[np.argsort(gap, kind="stable")[:_NEAR]]
