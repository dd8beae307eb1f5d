"""The training perturbations that carry a prediction, as a small network."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from txpert._constants import CELL_LINE, PERTURBATION

from ._canvas import Colors, axes_of, finish
from ._labels import shown

_NO_EDGE = "no direct edge"


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
        Number of training perturbations drawn, those with the largest contributions.
    ax, show, save
        As in :func:`profile`.

    Returns
    -------
    The axes.

    Raises
    ------
    ValueError
        If the explanation is not by perturbation, or holds no training effect.

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
    if PERTURBATION not in explanation or "edge_weight" not in explanation:
        raise ValueError("Draw model.explain(perturbation, by='perturbation').")
    rows = explanation[explanation["part"] == "training effect"]
    if rows.empty:
        raise ValueError("No training effect contributes to this prediction.")
    import networkx as nx

    rows = rows.head(n_neighbors).reset_index(drop=True)
    fraction = rows["contribution"].to_numpy() / (explanation.attrs["norm"] or 1.0)
    several = rows[CELL_LINE].nunique() > 1
    names = [
        shown(name) + (f" in {shown(line)}" if several else "")
        for name, line in rows[[PERTURBATION, CELL_LINE]].itertuples(index=False, name=None)
    ]
    graph: Any = nx.Graph()
    graph.add_node(-1)
    graph.add_edges_from((-1, i) for i in rows.index)
    place = nx.spring_layout(graph, pos={-1: (0.0, 0.0)}, fixed=[-1], seed=0, k=0.9)
    ax = axes_of(ax, 6, 5)
    colors = Colors.of(ax)
    _draw_edges(ax, rows, place, colors)
    xy = np.array([place[i] for i in rows.index])
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
    for point, name, part in zip(xy, names, fraction, strict=True):
        up = point[1] >= 0
        ax.annotate(
            f"{name}, {part:+.1%}",
            point,
            xytext=(0, 15 if up else -15),
            textcoords="offset points",
            ha="center",
            va="bottom" if up else "top",
            fontsize=7,
        )
    ax.scatter([0], [0], s=700, color="gold", edgecolor=colors.soft, marker="s", zorder=2)
    target = shown(explanation.attrs[PERTURBATION])
    ax.annotate(target, (0, 0), ha="center", va="center", fontsize=8, weight="bold", color="black")
    line = shown(explanation.attrs[CELL_LINE])
    rest = 1 - float(fraction.sum())
    ax.set_title(f"{target}, {line}: the mean and all others carry {rest:.0%}", fontsize=10)
    ax.margins(0.15)
    ax.axis("off")
    return finish(ax, show, save)


def _draw_edges(
    ax: Axes, rows: pd.DataFrame, place: dict[int, np.ndarray], shades: Colors
) -> None:
    """Draw one line from the target to each neighbor, and the legend of graphs."""
    graphs = sorted(rows["graph"].dropna().unique())
    colors = dict(zip(graphs, itertools.cycle(shades.categories), strict=False))
    heaviest = rows.groupby("graph")["edge_weight"].max()
    for i, name, weight in rows[["graph", "edge_weight"]].itertuples(name=None):
        known = isinstance(name, str)
        ax.plot(
            [0, place[i][0]],
            [0, place[i][1]],
            color=colors[name] if known else "0.75",
            linestyle="-" if known else ":",
            linewidth=1 + 4 * weight / heaviest[name] if known else 1,
            zorder=1,
        )
    handles = [Line2D([], [], color=colors[name], label=shown(name)) for name in graphs]
    if rows["graph"].isna().any():
        handles.append(Line2D([], [], color="0.75", linestyle=":", label=_NO_EDGE))
    ax.legend(handles=handles, loc="lower right", fontsize=7, frameon=False)
