"""Predicted perturbations by size, or by a signature."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from txpert._analysis._effects import effect_size, ranked, signature_score
from txpert._constants import CELL_LINE, PERTURBATION
from txpert._options import check_names, check_whole
from txpert.data._tokens import canonical_label

from ._canvas import Colors, axes_of, check_axes, closed_on_failure, finish, plain, titled
from ._labels import shown_apart
from ._predictions import Predicted

SPECIFIC = "specific"


@closed_on_failure
def ranking(
    prediction: AnnData,
    by: str | Mapping[str, float] | Sequence[str] = "size",
    *,
    exclude: Iterable[str] = (),
    cell_line: str | None = None,
    n: int = 20,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Predicted perturbations of the largest effects, or that move a signature most.

    The color is ``obs["specific"]``, where the prediction has it: the fraction of the variance
    specific to a perturbation that the model explains. Where it is near 0, the prediction is the
    common effect of the training perturbations, and its rank says nothing about the gene.

    Parameters
    ----------
    prediction
        What ``predict`` of a model or a baseline returned.
    by
        ``"size"``: root mean square of Δ over genes; or a signature: genes, whose mean Δ counts,
        or weights by gene. A signature ranks by absolute value, and shows the sign.
    exclude
        Perturbations to leave out, such as those measured:
        ``{label for label, line in model.trained_on_}``.
    cell_line, ax, show, save
        As in :func:`profile`.
    n
        Number of perturbations shown.

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If there is no Δ or no such cell line.
    TypeError
        If ``ax`` are no axes.
    ValueError
        If nothing is left to rank, ``by`` is another word, no gene of the signature is
        predicted, ``exclude`` is no list or ``n`` no positive number.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> prediction = tx.baselines.GeneralBaseline().fit(adata).predict(["GENE3", "GENE5"])
    >>> tx.pl.ranking(prediction, ["GENE1", "GENE2"]).get_xlabel()
    'mean Δ of 2 genes'
    """
    check_whole("n", n, least=1)
    check_axes(ax)
    known = {canonical_label(str(label)) for label in check_names("exclude", exclude)}
    table = Predicted.of(prediction, cell_line)
    if isinstance(by, str):
        if by != "size":
            raise ValueError(f"by is 'size', a list of genes or weights by gene, not {by!r}.")
        score, axis = effect_size(table.delta), f"size of {table.kind} Δ (root mean square)"
    else:
        score = signature_score(table.delta, table.genes, by)
        n_found = len(set(by) & set(table.genes))
        what = "weighted mean Δ" if isinstance(by, Mapping) else "mean Δ"
        axis = f"{what} of {n_found:,} genes"
    excluded = table.obs[PERTURBATION].isin(known).to_numpy()
    names = table.obs.assign(name=table.named())
    rows = ranked(names, score, excluded)
    if rows.empty:
        raise ValueError(f"All {len(names):,} perturbations predicted are excluded.")
    top = rows.head(n)[::-1]
    ax = axes_of(ax, 4.2, max(2.2, 1.0 + 0.2 * len(top)))
    colors, place = Colors.of(ax), np.arange(len(top))
    ax.axvline(0, color=colors.faint, linewidth=1, zorder=0)
    ax.hlines(place, 0, top["score"], color=colors.soft, linewidth=1, zorder=1)
    if SPECIFIC in top:
        shades = ScalarMappable(Normalize(0, 1), "viridis")
        ax.scatter(
            top["score"],
            place,
            c=shades.to_rgba(top[SPECIFIC].to_numpy()),
            s=36,
            edgecolor=colors.ink,
            linewidth=0.5,
            zorder=3,
        )
        bar = ax.figure.colorbar(shades, ax=ax, shrink=0.7, aspect=16, pad=0.02)
        bar.set_label("specific (fraction explained)", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    else:
        ax.scatter(top["score"], place, color=colors.model, s=30, zorder=3)
    longest = 22 if names[CELL_LINE].nunique() == 1 else 30
    ax.set_yticks(place, shown_apart(top["name"], longest), fontsize=8)
    ax.set_ylim(-0.7, len(top) - 0.3)
    ax.margins(x=0.08)
    ax.set_xlabel(axis)
    some = f"{len(top):,} of {len(rows):,}" if len(rows) > len(top) else f"{len(rows):,}"
    titled(ax, f"{some} perturbation{'s' * (len(rows) > 1)}")
    plain(ax)
    return finish(ax, show, save)
