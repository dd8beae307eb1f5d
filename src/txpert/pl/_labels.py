"""Labels of points in plots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes

from txpert._options import check_whole
from txpert._types import FloatArray

_LONGEST = 40


def shown(name: object) -> str:
    """Return a name as Matplotlib shows it: no formula, in one line, of bounded length."""
    text = " ".join(str(name).split())
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return text.replace("$", r"\$")


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
    if not isinstance(ax, Axes | None):
        raise TypeError(f"ax takes Matplotlib axes, such as plt.subplots()[1], not {ax!r}.")


def label_points(
    ax: Axes,
    x: FloatArray,
    y: FloatArray,
    names: Sequence[str],
    order: Iterable[int],
    *,
    n_labels: int,
    color: str = "0.2",
) -> None:
    """Name up to ``n_labels`` points, the first in ``order`` first.

    A point whose label would lie on another's is passed over; labels point into the axes.
    """
    x_low, x_high = ax.get_xlim()
    y_low, y_high = ax.get_ylim()
    taken: list[tuple[float, float]] = []
    for i in order:
        if len(taken) == n_labels:
            break
        across, up = (x[i] - x_low) / (x_high - x_low), (y[i] - y_low) / (y_high - y_low)
        if any(abs(across - a) < 0.2 and abs(up - u) < 0.04 for a, u in taken):
            continue
        taken.append((across, up))
        right = across > 0.6
        ax.annotate(
            shown(names[i]),
            (x[i], y[i]),
            xytext=(-4 if right else 4, 3),
            textcoords="offset points",
            ha="right" if right else "left",
            fontsize=7,
            color=color,
        )
