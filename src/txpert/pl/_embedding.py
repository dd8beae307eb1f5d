"""A map of perturbations by their embeddings or effects."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes

from txpert._analysis._layout import two_coordinates
from txpert._types import FloatArray, IntArray
from txpert.data._tokens import canonical_label, parse_targets

from ._canvas import Colors, axes_of, finish, plain, titled
from ._labels import label_points, shown
from ._predictions import Predicted
from ._room import legend_below


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
        Perturbations that were measured: ``{label for label, line in model.trained_on_}``.
    gene_sets
        Genes by name of the set, colored; a perturbation with a target in several has the color
        of the first. At most six sets are told apart.
    label
        Perturbations to name.
    ax, show, save
        As in :func:`profile`.

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If a perturbation to be named is not on the map.
    ValueError
        If there are more than six sets, or no perturbation.

    Examples
    --------
    >>> import pandas as pd, txpert as tx
    >>> table = pd.DataFrame([[0.0, 1.0], [1.0, 0.0]], index=["A", "B"])
    >>> tx.pl.embedding(table, measured=["A"]).get_xlabel()
    'component 1 (100% of variance)'
    """
    values, names = _read(embeddings)
    sets = dict(gene_sets or {})
    ax = axes_of(ax, 4.4, 4.0)
    colors = Colors.of(ax)
    if len(sets) > len(colors.categories):
        raise ValueError(f"At most {len(colors.categories)} gene sets have colors of their own.")
    place, fraction = two_coordinates(values)
    known = {canonical_label(str(one)) for one in measured}
    seen = np.array([name in known for name in names])
    of_set = _sets(names, sets)
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
    wanted = [canonical_label(str(one)) for one in label]
    lacking = sorted(set(wanted) - set(names))
    if lacking:
        raise KeyError(f"There is no perturbation {lacking[0]!r} on the map.")
    order = [names.index(one) for one in wanted]
    label_points(ax, place[:, 0], place[:, 1], names, order, n_labels=len(order), color=colors.ink)
    return finish(ax, show, save)


def _read(embeddings: pd.DataFrame | AnnData) -> tuple[FloatArray, list[str]]:
    if isinstance(embeddings, pd.DataFrame):
        if embeddings.empty:
            raise ValueError("There are no embeddings to draw.")
        return embeddings.to_numpy(float), [canonical_label(str(p)) for p in embeddings.index]
    table = Predicted.of(embeddings)
    return table.delta, table.named()


def _sets(names: list[str], sets: Mapping[str, Collection[str]]) -> IntArray:
    """Return the number of the first set that a target of each perturbation is in, else 0."""
    found = np.zeros(len(names), dtype=np.int64)
    for number, members in reversed(list(enumerate(sets.values(), start=1))):
        genes = set(members)
        hit = [bool(genes.intersection(parse_targets(name.split(", ")[0]))) for name in names]
        found[hit] = number
    return found
