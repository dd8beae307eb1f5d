"""What all figures share: new axes, colors on light and dark backgrounds, and their end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure

from ._room import wrap_labels

# Okabe and Ito, https://jfly.uni-koeln.de/color: told apart by color-blind readers, too.
_ON_LIGHT = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
_ON_DARK = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00")

N_CATEGORIES = len(_ON_LIGHT)
_FEW = 500
"""Dots up to which each can be seen."""

_Options = ParamSpec("_Options")
_Drawn = TypeVar("_Drawn")


@dataclass(frozen=True)
class Colors:
    """Colors of a figure on its background.

    Attributes
    ----------
    ink, soft, faint
        Of text, of lines and less important points, and of grids.
    paper
        The background.
    missing
        Of cells of a picture that have no value.
    categories
        Of groups, in order; the first is the model's.
    target
        Of a perturbation's targets and of what goes up.
    """

    ink: str
    soft: str
    faint: str
    paper: str
    missing: str
    categories: tuple[str, ...]
    target: str

    @classmethod
    def of(cls, ax: Axes) -> Colors:
        """Return the colors for axes."""
        paper = np.array(to_rgba(ax.get_facecolor()))
        if paper[3] < 0.5:
            paper = np.array(to_rgba(ax.figure.get_facecolor()))
        ink = np.array(to_rgba(ax.xaxis.label.get_color()))
        dark = float(paper[:3] @ [0.299, 0.587, 0.114]) < 0.5 and paper[3] >= 0.5

        def mixed(fraction: float) -> str:
            red, green, blue, _ = map(float, fraction * ink + (1 - fraction) * paper)
            return to_hex((red, green, blue))

        categories, target = (_ON_DARK, "#FF8A3D") if dark else (_ON_LIGHT, "#D55E00")
        return cls(mixed(1), mixed(0.6), mixed(0.2), mixed(0), mixed(0.12), categories, target)

    @property
    def model(self) -> str:
        """Color of the model, and of what goes down."""
        return self.categories[0]

    @property
    def dark(self) -> bool:
        """Whether the background is dark."""
        return self.categories is _ON_DARK


def closed_on_failure(draw: Callable[_Options, _Drawn]) -> Callable[_Options, _Drawn]:
    """Make a function close the figures that it opened if it fails."""

    @wraps(draw)
    def drawn(*args: _Options.args, **kwargs: _Options.kwargs) -> _Drawn:
        before = set(plt.get_fignums())
        try:
            return draw(*args, **kwargs)
        except BaseException:
            for number in set(plt.get_fignums()) - before:
                plt.close(number)
            raise

    return drawn


def check_axes(ax: Axes | None) -> None:
    """Raise a TypeError if ``ax`` are no axes."""
    if not isinstance(ax, Axes | None):
        raise TypeError(f"ax takes Matplotlib axes, such as plt.subplots()[1], not {ax!r}.")


def axes_of(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the axes given, or new ones in a figure of this size in inches.

    Raises
    ------
    TypeError
        If what was given are no axes.
    """
    check_axes(ax)
    if ax is not None:
        return ax
    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def dots(n: int) -> dict[str, Any]:
    """Return the size of ``n`` dots of one color, small and pale where they are many."""
    size, alpha = (18, 0.75) if n <= _FEW else (6, 0.45)
    return {"s": size, "alpha": alpha, "linewidth": 0}


def titled(ax: Axes, text: str, size: float = 10) -> None:
    """Set a title; it is broken into lines by :func:`finish`."""
    ax.set_title(text, fontsize=size)


def small(*axes: Axes) -> None:
    """Give the panels of a page text of the size of a page."""
    for ax in axes:
        ax.tick_params(labelsize=7)
        ax.xaxis.label.set_fontsize(8)
        ax.yaxis.label.set_fontsize(8)


def finish(ax: Axes, show: bool | None, save: str | Path | None) -> Axes:
    """Fit text into the figure, save and show it if asked to, and return the axes."""
    wrap_labels(ax)
    end(ax.figure, show, save)
    return ax


def end(figure: Any, show: bool | None, save: str | Path | None) -> None:
    """Save and show a figure if asked to."""
    root: Figure = figure.figure  # of a sub-figure the whole, of a figure itself
    if save is not None:
        root.savefig(save)
    if show:
        plt.show()


def plain(ax: Axes) -> None:
    """Leave out the upper and right spine."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
