"""What all figures share: new axes, colors on light and dark backgrounds, and their end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure

# Okabe and Ito, https://jfly.uni-koeln.de/color: told apart by color-blind readers, too.
_ON_LIGHT = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
_ON_DARK = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00")


@dataclass(frozen=True)
class Colors:
    """Colors of a figure on its background.

    Attributes
    ----------
    ink, soft, faint
        Of text, of lines and less important points, and of grids.
    paper
        The background.
    categories
        Of groups, in order; the first is the model's.
    target
        Of a perturbation's targets and of what goes up.
    """

    ink: str
    soft: str
    faint: str
    paper: str
    categories: tuple[str, ...]
    target: str = "#D55E00"

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

        categories = _ON_DARK if dark else _ON_LIGHT
        return cls(mixed(1), mixed(0.6), mixed(0.2), mixed(0), categories)

    @property
    def model(self) -> str:
        """Color of the model, and of what goes down."""
        return self.categories[0]


def axes_of(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the axes given, or new ones in a figure of this size in inches."""
    if ax is not None:
        return ax
    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def titled(ax: Axes, text: str, size: float = 10) -> None:
    """Set a title in as many lines as keep it within the figure."""
    width = ax.get_position().width * ax.figure.figure.get_figwidth() - 0.6
    most = max(16, int(width * 120 / size))
    ax.set_title("\n".join(wrap(text, most, break_long_words=False)), fontsize=size)


def legend_below(ax: Axes, n_columns: int = 2, **options: Any) -> None:
    """Draw a legend under the axes, where it hides nothing."""
    height = ax.get_position().height * ax.figure.figure.get_figheight()
    ax.legend(
        fontsize=7,
        frameon=False,
        ncols=n_columns,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.5 / height),
        columnspacing=1,
        **options,
    )


def finish(ax: Axes, show: bool | None, save: str | Path | None) -> Axes:
    """Save and show the figure of the axes if asked to, and return the axes."""
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
