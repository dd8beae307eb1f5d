"""Perturbations × genes, predicted and observed next to each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes

from txpert._analysis._layout import leaf_order
from txpert._constants import PERTURBATION
from txpert._options import check_names, check_whole
from txpert._types import FloatArray, IntArray
from txpert.data._tokens import canonical_label

from ._canvas import Colors, axes_of, check_axes, closed_on_failure, finish, titled
from ._labels import delta_label, shown_apart
from ._predictions import Predicted
from ._results import one_of
from ._room import NAME_ROOM

_MOST_NAMES = 60
"""Rows or columns up to which there is room for names."""


@closed_on_failure
def heatmap(
    prediction: AnnData,
    observed: AnnData | None = None,
    *,
    perturbations: Sequence[str] | None = None,
    genes: Sequence[str] | None = None,
    n_genes: int = 30,
    cell_line: str | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Predicted Δ, perturbations × genes, next to the observed one where there is one.

    Rows and columns are clustered by the predicted Δ (average linkage, cosine), and the observed
    Δ stands in the same order. What was not measured is gray.

    Parameters
    ----------
    prediction
        What ``predict`` of a model or a baseline returned.
    observed
        A pseudobulk (:func:`txpert.pp.pseudobulk`) of measured perturbations.
    perturbations
        Which to show; by default all.
    genes
        Genes to show; by default the ``n_genes`` of the largest variance of predicted Δ.
    n_genes
        Number of genes chosen.
    cell_line, ax, show, save
        As in :func:`profile`.

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If there is no Δ, or no such perturbation, gene or cell line.
    TypeError
        If ``ax`` are no axes.
    ValueError
        If what was observed has no gene of the prediction, ``perturbations`` or ``genes`` is no
        list or an empty one, or ``n_genes`` no positive number.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> prediction = tx.baselines.GeneralBaseline().fit(adata).predict(["GENE3", "GENE5"])
    >>> tx.pl.heatmap(prediction, tx.pp.pseudobulk(adata), n_genes=5).images[0].get_array().shape
    (2, 11)
    """
    check_whole("n_genes", n_genes, least=1)
    check_axes(ax)
    table = Predicted.of(prediction, cell_line)
    rows = np.arange(len(table.obs))
    if perturbations is not None:
        asked = [canonical_label(str(label)) for label in _listed("perturbations", perturbations)]
        known, what = list(table.obs[PERTURBATION]), f"{table.kind} perturbation"
        wanted = {one_of(label, known, what) for label in asked}
        rows = np.flatnonzero(table.obs[PERTURBATION].isin(wanted))
    columns = _columns(table, rows, genes, n_genes)
    predicted = table.delta[np.ix_(rows, columns)]
    row_order, column_order = leaf_order(predicted), leaf_order(predicted.T)
    rows, columns = rows[row_order], columns[column_order]
    blocks = [table.delta[np.ix_(rows, columns)]]
    if observed is not None:
        blocks.append(Predicted.of(observed).delta_like(table)[np.ix_(rows, columns)])
    gap = max(1, len(columns) // 25)
    values = _side_by_side(blocks, gap)
    names, unit = table.named(), delta_label("Δ", table.of_effects)
    ax = _draw(ax, values, [names[row] for row in rows], list(table.genes[columns]), gap, unit)
    some = f"{table.kind} (left), observed (right)" if len(blocks) > 1 else f"{table.kind} Δ"
    titled(ax, some)
    return finish(ax, show, save)


def _listed(name: str, wanted: Sequence[str]) -> list[str]:
    """Return names asked for; refuse if there are none."""
    names = check_names(name, wanted)
    if not names:
        raise ValueError(f"{name} is empty: name at least one, or leave {name}= out.")
    return names


def _columns(table: Predicted, rows: IntArray, genes: Sequence[str] | None, n: int) -> IntArray:
    if genes is not None:
        known, listed = list(table.genes), _listed("genes", genes)
        asked = pd.Index([one_of(gene, known, f"gene {table.kind}") for gene in listed])
        return table.genes.get_indexer(asked).astype(np.int64)
    part = np.nan_to_num(table.delta[rows])
    spread = part.var(axis=0) if len(part) > 1 else np.abs(part[0])
    return np.argsort(-spread, kind="stable")[:n]


def _side_by_side(blocks: list[FloatArray], gap: int) -> FloatArray:
    """Return the blocks with a blank gap between them."""
    blank = np.full((len(blocks[0]), gap), np.nan)
    parts = [part for block in blocks for part in (blank, block)]
    return np.hstack(parts[1:])


def _draw(
    ax: Axes | None, values: FloatArray, rows: list[str], columns: list[str], gap: int, unit: str
) -> Axes:
    n_rows, n_columns = values.shape
    named = len(rows) <= _MOST_NAMES, len(columns) <= _MOST_NAMES
    width = float(np.clip(1.6 + (0.14 if named[1] else 0.03) * n_columns, 3.4, 9))
    height = float(np.clip(1.4 + (0.17 if named[0] else 0.012) * n_rows, 2.2, 11))
    ax = axes_of(ax, width, height)
    colors = Colors.of(ax)
    box = ax.get_position()  # of new axes, wider and higher by what layout adds
    across = 1.05 * box.width * ax.figure.figure.get_figwidth() / n_columns
    down = box.height * ax.figure.figure.get_figheight() / n_rows
    named = named[0] and down > NAME_ROOM, named[1] and across > NAME_ROOM
    limit = float(np.nanquantile(np.abs(values), 0.99)) or 1.0
    cmap = plt.get_cmap("RdBu_r").with_extremes(bad=colors.missing)
    image = ax.imshow(
        values, aspect="auto", cmap=cmap, vmin=-limit, vmax=limit, interpolation="nearest"
    )
    for start in range(len(columns), n_columns, len(columns) + gap):
        ax.axvspan(start - 0.5, start + gap - 0.5, color=colors.paper, linewidth=0)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.6, aspect=18, pad=0.02, extend="both")
    bar.set_label(unit, fontsize=8)
    bar.ax.tick_params(labelsize=7)
    place = np.arange(len(columns))
    starts = range(0, n_columns, len(columns) + gap)
    if named[1]:
        ticks = np.concatenate([place + start for start in starts])
        names = shown_apart(columns, 14) * len(starts)
        ax.set_xticks(ticks, names, rotation=90, fontsize=6.5)
    else:
        ax.set_xticks([])
        ax.set_xlabel(f"{len(columns):,} genes", fontsize=8)
    if named[0]:
        ax.set_yticks(np.arange(n_rows), shown_apart(rows, 24), fontsize=7)
    else:
        ax.set_yticks([])
        ax.set_ylabel(f"{n_rows:,} perturbations", fontsize=8)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_edgecolor(colors.faint)
    return ax
