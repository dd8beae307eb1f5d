"""Over-represented gene sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from txpert._options import check_number, check_whole

from ._canvas import Colors, axes_of, check_axes, closed_on_failure, finish, plain, titled
from ._labels import shown, shown_apart
from ._room import legend_below, width_of


@closed_on_failure
def enrichment(
    table: pd.DataFrame,
    *,
    n: int = 5,
    fdr: float = 0.05,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Most significant gene sets of each list of genes, filled where the rate is low.

    Parameters
    ----------
    table
        From :func:`txpert.tl.enrichment`.
    n
        Number of sets per list.
    fdr
        Sets with a false discovery rate below are filled.
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
        If the table is empty, ``n`` is no positive number or ``fdr`` not between 0 and 1.

    Examples
    --------
    >>> import txpert as tx
    >>> sets = {"first": ["A", "B"], "second": ["C", "D"]}
    >>> table = tx.tl.enrichment(["A", "B"], list("ABCDEFGH"), gene_sets=sets, min_size=1)
    >>> tx.pl.enrichment(table).get_xlabel()
    'false discovery rate (−log10)'
    """
    check_whole("n", n, least=1)
    check_number("fdr", fdr, least=0, most=1)
    check_axes(ax)
    if table.empty:
        raise ValueError("No gene set has a gene in common with the lists: nothing to draw.")
    top = table.groupby("query", sort=False).head(n).iloc[::-1].reset_index(drop=True)
    queries = list(dict.fromkeys(table["query"]))
    ax = axes_of(ax, 5.6, 1.5 + 0.22 * len(top) + 0.12 * len(queries))
    colors = Colors.of(ax)
    place = np.arange(len(top))
    value = -np.log10(np.maximum(top["fdr"].to_numpy(dtype=float), 1e-300))
    for number, query in enumerate(queries):
        rows = (top["query"] == query).to_numpy()
        color = colors.categories[number % len(colors.categories)]
        ax.hlines(place[rows], 0, value[rows], color=color, linewidth=1.5)
        face = [color if rate < fdr else colors.paper for rate in top.loc[rows, "fdr"]]
        label = shown(query, 30)
        ax.scatter([], [], color=color, s=36, label=label)
        ax.scatter(
            value[rows], place[rows], s=36, c=face, edgecolor=color, zorder=3, clip_on=False
        )
    named = "name" if "name" in top else "term"
    longest = int(np.clip(11 * width_of(ax) - 16, 16, 40))
    terms = shown_apart(top[named], longest)
    names = [
        f"{term} ({found}/{size})"
        for term, found, size in zip(terms, top["n_found"], top["n_set"], strict=True)
    ]
    ax.set_yticks(place, names, fontsize=7.5)
    ax.set_ylim(-0.7, len(top) - 0.3)
    ax.set_xlim(left=0)
    ax.margins(x=0.08)
    ax.set_xlabel("false discovery rate (−log10)")
    titled(ax, f"filled: FDR < {fdr:g}", size=9)
    plain(ax)
    legend_below(ax)
    return finish(ax, show, save)
