"""The training perturbations that carry a prediction, as a small network."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from txpert._constants import CELL_LINE, PERTURBATION
from txpert._options import check_whole
from txpert._types import FloatArray

from ._canvas import Colors, axes_of, check_axes, closed_on_failure, finish, titled
from ._labels import shown, shown_apart
from ._room import height_of, legend_below, width_of

_NO_EDGE = "no direct edge"
_ONE_CIRCLE, _INNER = 6, 0.62
"""Neighbors up to which all are in one circle, and the radius of every second one from there."""
_NARROW = 4.5
"""Inches up to which there is room for one circle only."""
_LABEL = 0.5, 0.45
"""Inches that a label needs next to and above its node."""


@closed_on_failure
def explain(
    explanation: pd.DataFrame,
    *,
    n_neighbors: int = 12,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Draw the training perturbations that carry a prediction around its target.

    A node is a training perturbation, red where its measured effect moves the predicted Δ along
    its own direction, blue against it; the stronger, the darker. Its area grows with the norm of
    its measured effect. An edge is as wide as its weight relative to the heaviest one shown of
    its graph and has that graph's color; without a direct edge the two are connected by diffusion
    only. The number is the contribution as a fraction of the norm of Δ.

    Parameters
    ----------
    explanation
        What ``model.explain(perturbation)`` returned, one row per training perturbation.
    n_neighbors
        Number of training perturbations drawn, those with the largest contributions; at most six
        in axes that are narrower than 4.5 inches.
    ax, show, save
        As in :func:`profile`.

    Returns
    -------
    The axes.

    Raises
    ------
    TypeError
        If ``ax`` are no axes.
    ValueError
        If the explanation is not by perturbation or holds no training effect, or ``n_neighbors``
        is no positive number.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> model = tx.TxPertModel(
    ...     adata, tx.datasets.toy_graph(), components=["mean", "gaussian_process"])
    >>> model.train(max_epochs=1, enable_progress_bar=False)
    >>> unseen = model.nodes.difference(adata.obs["perturbation"])[0]
    >>> tx.pl.explain(model.explain(unseen)).get_title().split(",")[0] == unseen
    True
    """
    check_whole("n_neighbors", n_neighbors, least=1)
    check_axes(ax)
    if PERTURBATION not in explanation or "edge_weight" not in explanation:
        raise ValueError("Draw model.explain(perturbation, by='perturbation').")
    rows = explanation[explanation["part"] == "training effect"]
    if rows.empty:
        raise ValueError("No training effect contributes to this prediction.")
    ax = axes_of(ax, 5.4, 4.8)
    n_drawn = n_neighbors if width_of(ax) > _NARROW else min(n_neighbors, _ONE_CIRCLE)
    rows = rows.head(n_drawn).reset_index(drop=True)
    fraction = rows["contribution"].to_numpy() / (explanation.attrs["norm"] or 1.0)
    angle = np.pi / 2 - 2 * np.pi * np.arange(len(rows)) / len(rows)
    far = np.where((np.arange(len(rows)) % 2 == 1) & (len(rows) > _ONE_CIRCLE), _INNER, 1.0)
    xy = far[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    colors = Colors.of(ax)
    _draw_edges(ax, rows, xy, colors)
    size = rows["effect_norm"].to_numpy()
    limit = np.abs(fraction).max() or 1.0
    ax.scatter(
        xy[:, 0],
        xy[:, 1],
        s=120 + 500 * size / (size.max() or 1.0),
        c=fraction,
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        edgecolor=colors.soft,
        zorder=2,
    )
    for point, name in zip(xy, _names(rows, fraction), strict=True):
        up = point[1] > -1e-9
        ax.annotate(
            name,
            point,
            xytext=(0, 14 if up else -14),
            textcoords="offset points",
            ha="center",
            va="bottom" if up else "top",
            fontsize=7,
            path_effects=[withStroke(linewidth=1.5, foreground=colors.paper)],
        )
    target, line = (shown(explanation.attrs[key], 24) for key in (PERTURBATION, CELL_LINE))
    ax.annotate(
        target,
        (0, 0),
        ha="center",
        va="center",
        fontsize=8,
        weight="bold",
        color="black",
        bbox={"boxstyle": "round", "facecolor": "gold", "edgecolor": colors.soft},
    )
    rest = 1 - float(fraction.sum())
    titled(ax, f"{target}, {line}: the mean and all others carry {rest:.0%}")
    across = 1 / max(0.4, 1 - 2 * _LABEL[0] / width_of(ax))
    down = 1 / max(0.4, 1 - 2 * _LABEL[1] / (height_of(ax) - 1))
    ax.set(xlim=(-across, across), ylim=(-down, down))
    ax.axis("off")
    return finish(ax, show, save)


def _names(rows: pd.DataFrame, fraction: FloatArray) -> list[str]:
    """Name perturbations, and cell lines where there are several, with their contributions."""
    several = rows[CELL_LINE].nunique() > 1
    names = []
    labels, lines = shown_apart(rows[PERTURBATION], 16), shown_apart(rows[CELL_LINE], 12)
    for name, line, part in zip(labels, lines, fraction, strict=True):
        where = f"{line}, " if several else ""
        signed = f"{part:+.1%}".replace("-", "−")
        names.append(f"{name}\n{where}{signed}")
    return names


def _draw_edges(ax: Axes, rows: pd.DataFrame, place: FloatArray, shades: Colors) -> None:
    """Draw one line from the target to each neighbor, and the legend."""
    graphs = sorted(rows["graph"].dropna().unique())
    colors = dict(zip(graphs, itertools.cycle(shades.categories), strict=False))
    heaviest = rows.groupby("graph")["edge_weight"].max()
    for i, name, weight in rows[["graph", "edge_weight"]].itertuples(name=None):
        known = isinstance(name, str)
        ax.plot(
            [0, place[i, 0]],
            [0, place[i, 1]],
            color=colors[name] if known else shades.soft,
            linestyle="-" if known else ":",
            linewidth=1 + 4 * weight / heaviest[name] if known else 1,
            zorder=1,
        )
    handles = [Line2D([], [], color=colors[name], label=shown(name, 24)) for name in graphs]
    if rows["graph"].isna().any():
        handles.append(Line2D([], [], color=shades.soft, linestyle=":", label=_NO_EDGE))
    ends = {"along the predicted Δ": "#B2182B", "against it": "#2166AC"}
    handles += [
        Line2D([], [], color=color, marker="o", linestyle="", label=label)
        for label, color in ends.items()
    ]
    legend_below(ax, handles=handles)
