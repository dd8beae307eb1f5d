"""Coverage and overlap of knowledge graphs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from txpert.graph import KnowledgeGraph, coverage_table, overlap

from ._labels import shown


def graph_coverage(
    graphs: Sequence[KnowledgeGraph], genes: Iterable[str], *, ax: Axes | None = None
) -> Axes:
    """Fraction of a set of genes that each graph connects, holds without an edge, or lacks.

    Parameters
    ----------
    graphs
        Graphs with names of their own.
    genes
        Genes, such as the perturbations of a screen; "A+B" stands for its parts.
    ax
        Axes to draw on; by default new ones.

    Returns
    -------
    The axes.

    Raises
    ------
    ValueError
        If there are no graphs or genes, or two graphs share a name.
    """
    table = coverage_table(graphs, genes)
    if table.empty:
        raise ValueError("Give at least one gene.")
    joined = (table > 0).fillna(False).mean()
    alone = table.notna().mean() - joined
    shares = {
        "has neighbors": (joined, "tab:blue"),
        "node without incoming edge": (alone, "tab:orange"),
        "not in the graph": (1 - joined - alone, "0.85"),
    }
    ax = plt.subplots(figsize=(5, 0.8 + 0.4 * table.shape[1]))[1] if ax is None else ax
    rows, left = np.arange(table.shape[1]), np.zeros(table.shape[1])
    for label, (share, color) in shares.items():
        ax.barh(rows, share, left=left, color=color, label=label)
        left += share.to_numpy(dtype=float)
    ax.set_yticks(rows, [shown(name) for name in table.columns])
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel=f"fraction of {len(table):,} genes")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=7, frameon=False)
    return ax


def graph_overlap(graphs: Sequence[KnowledgeGraph], *, ax: Axes | None = None) -> Axes:
    """Jaccard index of the edges of each pair of graphs, directions counted.

    Parameters
    ----------
    graphs
        Graphs with names of their own.
    ax
        Axes to draw on; by default new ones.

    Returns
    -------
    The axes.

    Raises
    ------
    ValueError
        If there are no graphs or two share a name.
    """
    table = overlap(graphs)
    shares = table.to_numpy(dtype=float)
    names, size = [shown(name) for name in table.columns], len(table)
    ax = plt.subplots(figsize=(1.8 + 0.6 * size, 1.4 + 0.6 * size))[1] if ax is None else ax
    ax.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    ax.set_xticks(range(size), names, rotation=45, ha="right")
    ax.set_yticks(range(size), names)
    for row, column in np.ndindex(size, size):
        value = shares[row, column]
        color = "white" if value > 0.6 else "black"
        ax.text(column, row, f"{value:.2g}", ha="center", va="center", color=color, fontsize=8)
    ax.set_title("shared edges (Jaccard)", fontsize=10)
    return ax
