"""Coverage and overlap of knowledge graphs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from txpert.graph import KnowledgeGraph, coverage_table, overlap

from ._canvas import Colors, axes_of, closed_on_failure, finish, plain, titled
from ._labels import shown_apart
from ._room import legend_above


@closed_on_failure
def graph_coverage(
    graphs: Sequence[KnowledgeGraph],
    genes: Iterable[str],
    *,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Fraction of a set of genes that each graph connects, holds without an edge, or lacks.

    Parameters
    ----------
    graphs
        Graphs with names of their own.
    genes
        Genes, such as the perturbations of a screen; "A+B" stands for its parts.
    ax, show, save
        As in :func:`profile`.

    Returns
    -------
    The axes.

    Raises
    ------
    ValueError
        If there are no graphs or genes, or two graphs share a name.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.pl.graph_coverage([tx.datasets.toy_graph()], ["GENE3", "KLF1"]).get_xlabel()
    'fraction of 2 genes'
    """
    table = coverage_table(graphs, genes)
    if table.empty:
        raise ValueError("Give at least one gene.")
    joined = (table > 0).fillna(False).mean()
    alone = table.notna().mean() - joined
    ax = axes_of(ax, 5.6, 1.3 + 0.35 * table.shape[1])
    colors = Colors.of(ax)
    shares = {
        "has neighbors": (joined, colors.model),
        "no incoming edge": (alone, colors.categories[1]),
        "not in the graph": (1 - joined - alone, colors.faint),
    }
    rows, left = np.arange(table.shape[1]), np.zeros(table.shape[1])
    for label, (share, color) in shares.items():
        ax.barh(rows, share, left=left, color=color, label=label)
        left += share.to_numpy(dtype=float)
    ax.set_yticks(rows, shown_apart(table.columns, 24))
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel=f"fraction of {len(table):,} genes")
    plain(ax)
    legend_above(ax)
    return finish(ax, show, save)


@closed_on_failure
def graph_overlap(
    graphs: Sequence[KnowledgeGraph],
    *,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    r"""Jaccard index of the edges of each pair of graphs, directions counted.

    Parameters
    ----------
    graphs
        Graphs with names of their own.
    ax, show, save
        As in :func:`profile`.

    Returns
    -------
    The axes.

    Raises
    ------
    ValueError
        If there are no graphs or two share a name.

    Examples
    --------
    >>> import txpert as tx
    >>> graph = tx.datasets.toy_graph()
    >>> half = tx.graph.KnowledgeGraph.from_edges(graph.edges[::2], name="half")
    >>> [cell.get_text() for cell in tx.pl.graph_overlap([graph, half]).texts]
    ['1', '0.5', '0.5', '1']
    """
    table = overlap(graphs)
    shares = table.to_numpy(dtype=float)
    names, size = shown_apart(table.columns, 24), len(table)
    longest = max(map(len, names)) * 0.1
    ax = axes_of(ax, 1.2 + longest + 0.5 * size, 1.0 + longest + 0.5 * size)
    ax.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    ax.set_xticks(range(size), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(size), names)
    for row, column in np.ndindex(size, size):
        value = shares[row, column]
        color = "white" if value > 0.6 else "black"
        ax.text(column, row, f"{value:.2g}", ha="center", va="center", color=color, fontsize=8)
    titled(ax, "shared edges (Jaccard)")
    return finish(ax, show, save)
