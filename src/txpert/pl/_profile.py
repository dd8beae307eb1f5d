"""The genes that a perturbation is predicted to change most."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from txpert._analysis._effects import OBSERVED, STD, TARGET, effect_table, top_genes
from txpert._constants import DELTA
from txpert._options import check_whole
from txpert.data._tokens import parse_targets

from ._canvas import Colors, axes_of, check_axes, closed_on_failure, finish, plain, titled
from ._labels import delta_label, shown, shown_apart
from ._predictions import Predicted
from ._room import legend_below


@closed_on_failure
def profile(
    prediction: AnnData,
    perturbation: str,
    *,
    cell_line: str | None = None,
    observed: AnnData | None = None,
    n_genes: int = 20,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Genes that a perturbation is predicted to change most, with their standard deviation.

    Dots are predicted Δ, averaged over batches; bars reach one standard deviation to both sides,
    where the prediction has ``layers["std"]`` (``model.predict(..., return_std=True)``). The
    perturbation's targets are always shown, and marked.

    Parameters
    ----------
    prediction
        What ``predict`` of a model or a baseline returned.
    perturbation
        One of those predicted; the order of its targets does not matter.
    cell_line
        Cell line; by default the first one.
    observed
        A pseudobulk (:func:`txpert.pp.pseudobulk`) whose Δ is drawn as open circles, where the
        perturbation was measured.
    n_genes
        Number of genes besides the targets.
    ax
        Axes to draw on; by default new ones.
    show
        Whether to call ``matplotlib.pyplot.show``.
    save
        File to write the figure to; its ending says the format.

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If there is no Δ, or no such perturbation or cell line.
    TypeError
        If ``ax`` are no axes.
    ValueError
        If ``n_genes`` is no whole number of at least 0.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> prediction = tx.baselines.GeneralBaseline().fit(adata).predict("GENE3")
    >>> tx.pl.profile(prediction, "GENE3", n_genes=5).get_xlabel()
    'predicted Δ (log1p)'
    """
    check_whole("n_genes", n_genes, least=0)
    check_axes(ax)
    table = Predicted.of(prediction, cell_line)
    row = table.row(perturbation)
    label, line = table.name(row)
    measured = None
    if observed is not None:
        measured = Predicted.of(observed).delta_like(table)[row]
    genes = effect_table(
        table.genes,
        table.delta[row],
        parse_targets(label),
        std=None if table.std is None else table.std[row],
        observed=measured,
    )
    top = top_genes(genes, n_genes)
    ax = axes_of(ax, 4.2, max(2.2, 0.9 + 0.2 * len(top)))
    colors = Colors.of(ax)
    ax.axvline(0, color=colors.faint, linewidth=1, zorder=0)
    place = np.arange(len(top))
    shades = [colors.target if target else colors.model for target in top[TARGET]]
    if STD in top:
        ax.hlines(
            place,
            top[DELTA] - top[STD],
            top[DELTA] + top[STD],
            color=shades,
            linewidth=1.5,
            alpha=0.6,
        )
    ax.scatter(top[DELTA], place, c=shades, s=26, zorder=3)
    if _known(top).any():
        ax.scatter(
            top[OBSERVED],
            place,
            s=30,
            facecolor="none",
            edgecolor=colors.ink,
            linewidth=1,
            zorder=4,
        )
    ax.set_yticks(place, shown_apart(top.index, 20), fontsize=8)
    for tick, target in zip(ax.get_yticklabels(), top[TARGET], strict=True):
        if target:
            tick.set(color=colors.target, fontweight="bold")
    ax.set_ylim(-0.7, len(top) - 0.3)
    ax.set_xlabel(delta_label(f"{table.kind} Δ", table.of_effects))
    titled(ax, f"{shown(label, 24)}, {shown(line, 16)}")
    plain(ax)
    _legend(ax, table.kind, with_std=STD in top, with_observed=bool(_known(top).any()))
    return finish(ax, show, save)


def _known(genes: pd.DataFrame) -> pd.Series:
    """Return which genes were observed."""
    if OBSERVED not in genes:
        return pd.Series(False, index=genes.index)
    return genes[OBSERVED].notna()


def _legend(ax: Axes, kind: str, *, with_std: bool, with_observed: bool) -> None:
    """Say what is drawn, in the color of genes that are no targets."""
    if not (with_std or with_observed):
        return
    colors = Colors.of(ax)
    handles = [Line2D([], [], color=colors.model, marker="o", linestyle="", label=kind)]
    if with_std:
        handles.append(Line2D([], [], color=colors.model, alpha=0.6, label="± 1 std"))
    if with_observed:
        empty = Line2D([], [], color=colors.ink, marker="o", linestyle="", label="observed")
        empty.set_markerfacecolor("none")
        handles.append(empty)
    legend_below(ax, 3, handles=handles)
