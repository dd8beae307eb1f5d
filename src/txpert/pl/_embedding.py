"""A map of perturbations by their embeddings or effects."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes

from txpert._analysis._layout import two_coordinates
from txpert._constants import PERTURBATION
from txpert._options import check_names
from txpert._types import FloatArray, IntArray
from txpert.data._tokens import canonical_label, parse_targets

from ._canvas import (
    N_CATEGORIES,
    Colors,
    axes_of,
    check_axes,
    closed_on_failure,
    finish,
    plain,
    titled,
)
from ._labels import label_points, shown
from ._predictions import Predicted
from ._room import legend_below


@closed_on_failure
def embedding(
    embeddings: pd.DataFrame | AnnData,
    *,
    measured: Iterable[str] = (),
    gene_sets: Mapping[str, Collection[str]] | None = None,
    label: Iterable[str] = (),
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Map of perturbations: what the model takes to be similar lies together.

    The axes are the first two principal components, so that distances mean the same everywhere
    on the map. Filled dots are measured perturbations, open ones predicted only.

    Parameters
    ----------
    embeddings
        From ``model.get_perturbation_embedding()``, one row per perturbation; or a prediction,
        of which Δ is mapped.
    measured
        Perturbations that were measured: ``{label for label, line in model.trained_on_}``. Where
        a prediction has several cell lines, ``"GENE"`` stands for all of them and
        ``"GENE, line"`` for one. By default all of a pseudobulk, else none.
    gene_sets
        Genes by name of the set, colored; a perturbation with a target in several has the color
        of the first. At most six sets are told apart.
    label
        Perturbations to name, as those measured.
    ax, show, save
        As in :func:`profile`.

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If a perturbation to be named is not on the map.
    TypeError
        If ``embeddings`` is no table or AnnData, ``ax`` are no axes, or ``gene_sets`` no
        dictionary.
    ValueError
        If there are more than six sets or no perturbation, or one name stands for a list.

    Examples
    --------
    >>> import pandas as pd, txpert as tx
    >>> table = pd.DataFrame([[0.0, 1.0], [1.0, 0.0]], index=["A", "B"])
    >>> tx.pl.embedding(table, measured=["A"]).get_xlabel()
    'component 1 (100% of variance)'
    """
    check_axes(ax)
    sets = _checked(gene_sets or {})
    values, labels, names, all_measured = _read(embeddings)
    known = check_names("measured", measured)
    seen = np.full(len(names), all_measured and not known)
    points = _points(labels, names)
    for one in known:
        seen[points.get(_name(one), [])] = True
    order: list[int] = []
    for one in check_names("label", label):
        if _name(one) not in points:
            raise KeyError(f"There is no perturbation {one!r} on the map.")
        order += points[_name(one)]
    order = list(dict.fromkeys(order))
    ax = axes_of(ax, 4.4, 4.0)
    colors = Colors.of(ax)
    place, fraction = two_coordinates(values)
    of_set = _sets(labels, sets)
    small = len(names) > 300
    shades = [colors.soft, *colors.categories]
    for number, name in enumerate(["other" if sets else "", *sets]):
        for filled in (False, True):
            chosen = (of_set == number) & (seen == filled)
            if not chosen.any():
                continue
            color = shades[number] if sets else colors.model
            kind = "measured" if filled else "predicted only"
            ax.scatter(
                place[chosen, 0],
                place[chosen, 1],
                s=(8 if small else 22) + 6 * (number > 0),
                facecolor=color if filled else "none",
                edgecolor=color,
                linewidth=0.8,
                alpha=0.85 if number or not sets else 0.6,
                zorder=2 + number + filled,
                label=f"{shown(name, 24)}, {kind}" if name else kind,
            )
    for axis, part, number in zip((ax.xaxis, ax.yaxis), fraction, (1, 2), strict=True):
        axis.set_label_text(f"component {number} ({part:.0%} of variance)")
    ax.tick_params(labelsize=8)
    plain(ax)
    titled(ax, f"{len(names):,} perturbation{'s' * (len(names) > 1)}")
    ax.margins(0.08)
    legend_below(ax)
    label_points(ax, place[:, 0], place[:, 1], names, order, n_labels=len(order), color=colors.ink)
    return finish(ax, show, save)


def _read(embeddings: pd.DataFrame | AnnData) -> tuple[FloatArray, list[str], list[str], bool]:
    """Return coordinates, labels and names of the points, and whether all were measured."""
    if isinstance(embeddings, pd.DataFrame):
        if embeddings.empty:
            raise ValueError("There are no embeddings to draw.")
        labels = [canonical_label(str(label)) for label in embeddings.index]
        return embeddings.to_numpy(float), labels, labels, False
    if not isinstance(embeddings, AnnData):
        raise TypeError(
            "embeddings is a table such as model.get_perturbation_embedding(), a prediction such "
            "as model.predict(...), or a pseudobulk (tx.pp.pseudobulk(adata)), not "
            f"{type(embeddings).__name__}."
        )
    table = Predicted.of(embeddings)
    return table.delta, list(table.obs[PERTURBATION]), table.named(), table.measured


def _checked(sets: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """Return gene sets as lists; refuse what is none, and more than there are colors."""
    if not isinstance(sets, Mapping):
        raise TypeError(f"gene_sets is a dictionary from name to genes, not {sets!r}.")
    if len(sets) > N_CATEGORIES:
        raise ValueError(f"At most {N_CATEGORIES} gene sets have colors of their own.")
    return {name: check_names(f"gene_sets[{name!r}]", genes) for name, genes in sets.items()}


def _points(labels: list[str], names: list[str]) -> dict[str, list[int]]:
    """Return the points of each perturbation, and of each in one cell line (``"A, line"``)."""
    points: dict[str, list[int]] = {}
    for i, known in enumerate(zip(labels, names, strict=True)):
        for name in dict.fromkeys(known):
            points.setdefault(name, []).append(i)
    return points


def _name(wanted: object) -> str:
    """Return a name as points have it."""
    label, *line = str(wanted).split(", ", 1)
    return ", ".join([canonical_label(label), *line])


def _sets(labels: list[str], sets: Mapping[str, Collection[str]]) -> IntArray:
    """Return the number of the first set that a target of each perturbation is in, else 0."""
    found = np.zeros(len(labels), dtype=np.int64)
    for number, members in reversed(list(enumerate(sets.values(), start=1))):
        genes = set(members)
        found[[bool(genes.intersection(parse_targets(label))) for label in labels]] = number
    return found
