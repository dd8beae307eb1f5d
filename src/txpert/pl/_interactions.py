"""Genetic interactions of all pairs: a map, or predicted against observed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes

from txpert._analysis._interactions import SCORES
from txpert._constants import CELL_LINE, MODALITY, PERTURBATION
from txpert._options import check_choice
from txpert.data._tokens import parse_targets

from ._canvas import Colors, axes_of, closed_on_failure, dots, finish, plain, titled
from ._labels import check_drawing, label_points, shown, shown_apart
from ._results import one_of
from ._room import NAME_ROOM, height_of, width_of

_SIGNED = ("synergy", "suppression")
_MOST_NAMES = 70


@closed_on_failure
def interactions(
    adata: AnnData,
    score: str = "synergy",
    *,
    kind: Literal["map", "scatter"] = "map",
    cell_line: str | None = None,
    modality: str | None = None,
    n_labels: int = 8,
    key: str = "txpert_interactions",
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Interaction of every pair, observed above the diagonal and predicted below it.

    Pairs without a score are gray.

    Parameters
    ----------
    adata
        Data that :func:`txpert.tl.interactions` was run on.
    score
        One of synergy, suppression, neomorphism, redundancy, epistasis and deviation.
    kind
        ``"map"``: genes × genes, observed in the upper right, predicted in the lower left; or
        ``"scatter"``: predicted against observed score, each pair a dot.
    cell_line
        Cell line; by default the first.
    modality
        Modality, where there are several; by default the first of the cell line.
    n_labels
        Number of pairs named in the scatter, those of the highest observed score.
    key
        Key in ``uns``.
    ax, show, save
        As in :func:`profile`.

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If there are no interactions, or no such score, cell line or modality.
    TypeError
        If ``ax`` are no axes.
    ValueError
        If there is nothing predicted to scatter, ``kind`` is another word or ``n_labels`` no
        whole number of at least 0.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.simulate(6, 40, 20, n_doubles=3, graph=tx.datasets.toy_graph())
    >>> tx.pp.normalize(adata)
    >>> table = tx.tl.interactions(adata)
    >>> tx.pl.interactions(adata).get_title()
    'synergy, simulated'
    """
    check_choice("kind", kind, ("map", "scatter"))
    check_drawing(n_labels, ax)
    if "scores" not in adata.uns.get(key, {}):
        raise KeyError(f"adata.uns[{key!r}] has no interactions; run tx.tl.interactions(adata).")
    scores = adata.uns[key]["scores"]
    one_of(score, list(SCORES), "score")
    rows, where = _of_context(scores, cell_line, modality)
    if kind == "scatter":
        return finish(_scatter(rows, score, where, n_labels, ax), show, save)
    return finish(_map(rows, score, where, ax), show, save)


def _of_context(
    scores: pd.DataFrame, cell_line: str | None, modality: str | None
) -> tuple[pd.DataFrame, str]:
    """Return the rows of one cell line and modality, and how titles call it."""
    if modality is not None and MODALITY not in scores:
        raise KeyError(f"There is no modality {modality!r}: the interactions have no such column.")
    line = one_of(cell_line, list(dict.fromkeys(scores[CELL_LINE])), "cell line")
    rows = scores[scores[CELL_LINE] == line]
    if MODALITY not in scores:
        return rows, shown(line, 16)
    one = one_of(modality, list(dict.fromkeys(rows[MODALITY])), f"modality of {line}")
    several = scores[MODALITY].nunique() > 1
    return rows[rows[MODALITY] == one], ", ".join(
        shown(name, 16) for name in ((line, one) if several else (line,))
    )


def _map(rows: pd.DataFrame, score: str, where: str, ax: Axes | None) -> Axes:
    pairs = [parse_targets(label) for label in rows[PERTURBATION]]
    genes = sorted({gene for pair in pairs for gene in pair})
    place = {gene: i for i, gene in enumerate(genes)}
    values = np.full((len(genes), len(genes)), np.nan)
    several = rows["source"].nunique() > 1
    for (first, second), source, value in zip(pairs, rows["source"], rows[score], strict=True):
        upper = tuple(sorted((place[first], place[second])))
        lower = upper[::-1]
        if source == "observed" or not several:
            values[upper] = value
        if source == "predicted" or not several:
            values[lower] = value
    named = len(genes) <= _MOST_NAMES
    side = float(np.clip(2.0 + 0.16 * len(genes), 3.2, 9)) if named else 6.0
    ax = axes_of(ax, side + 0.6, side)
    named = named and 0.8 * min(width_of(ax) - 1.0, height_of(ax)) / len(genes) > NAME_ROOM
    colors = Colors.of(ax)
    known = values[np.isfinite(values)]
    limit = float(np.quantile(np.abs(known), 0.98)) if len(known) else 1.0
    low = -limit if score in _SIGNED else 0.0
    cmap = plt.get_cmap("RdBu_r" if score in _SIGNED else "viridis")
    image = ax.imshow(
        values,
        cmap=cmap.with_extremes(bad=colors.missing),
        vmin=low,
        vmax=limit or 1.0,
        interpolation="nearest",
    )
    ends: Literal["both", "max"] = "both" if score in _SIGNED else "max"
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.6, aspect=18, pad=0.02, extend=ends)
    bar.set_label(score, fontsize=8)
    bar.ax.tick_params(labelsize=7)
    ax.plot([-0.5, len(genes) - 0.5], [-0.5, len(genes) - 0.5], color=colors.faint, linewidth=1)
    if named:
        names = shown_apart(genes, 12)
        ax.set_xticks(range(len(genes)), names, rotation=90, fontsize=7)
        ax.set_yticks(range(len(genes)), names, fontsize=7)
    else:
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_xlabel(f"{len(genes):,} genes", fontsize=8)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_edgecolor(colors.faint)
    what = ": observed above, predicted below the diagonal" if several else ""
    titled(ax, f"{score}, {where}{what}", size=9 if several else 10)
    return ax


def _scatter(rows: pd.DataFrame, score: str, where: str, n_labels: int, ax: Axes | None) -> Axes:
    wide = rows.pivot(index=PERTURBATION, columns="source", values=score)
    wide = wide.reindex(columns=["observed", "predicted"]).dropna()
    if wide.empty:
        raise ValueError(
            "No pair has both an observed and a predicted score: run "
            "tx.tl.interactions(adata, model)."
        )
    ax = axes_of(ax, 4.2, 4.0)
    colors = Colors.of(ax)
    x, y = wide["observed"].to_numpy(float), wide["predicted"].to_numpy(float)
    both = [min(x.min(), y.min()), max(x.max(), y.max())]
    ax.plot(both, both, color=colors.soft, linewidth=1, zorder=0)
    ax.scatter(x, y, color=colors.model, **dots(len(x)))
    ax.margins(0.1)
    ax.set_xlabel(f"observed {score}")
    ax.set_ylabel(f"predicted {score}")
    titled(ax, f"{len(wide):,} pair{'s' * (len(wide) > 1)}, {where}")
    plain(ax)
    order = np.argsort(-x, kind="stable")
    names = list(wide.index)
    label_points(ax, x, y, names, order, n_labels=n_labels, color=colors.ink, longest=24)
    return ax
