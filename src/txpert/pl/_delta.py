"""Predicted against observed Δ of one perturbation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from mudata import MuData

from txpert._constants import CELL_LINE, MODALITY, PERTURBATION, UNS_KEY
from txpert._options import check_choice
from txpert._types import BoolArray
from txpert.data._tokens import canonical_label, parse_targets

from ._canvas import Colors, axes_of, closed_on_failure, dots, finish, plain, titled
from ._labels import check_drawing, delta_label, label_points, shown
from ._results import OBSERVED, evaluation, one_of


@closed_on_failure
def delta(
    adata: AnnData | MuData,
    perturbation: str,
    *,
    cell_line: str | None = None,
    modality: str | None = None,
    model: str | None = None,
    n_labels: int = 6,
    name_by: Literal["change", "error"] = "change",
    key: str = UNS_KEY,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Predicted against observed Δ of one perturbation, each gene a dot, its targets marked.

    Parameters
    ----------
    adata
        Data that :func:`txpert.tl.evaluate` was run on.
    perturbation
        A perturbation that was scored; the order of its targets does not matter.
    cell_line
        Cell line; by default the first it was scored in.
    modality
        Modality, where there are several; by default the first it was scored in.
    model
        Name in the evaluation; by default its first.
    n_labels
        Number of genes named.
    name_by
        Name the genes that changed most, or those predicted worst (``"error"``).
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
        If there is no evaluation, or it lacks the perturbation, cell line, modality or model.
    TypeError
        If ``ax`` are no axes.
    ValueError
        If ``name_by`` is another word or ``n_labels`` no whole number of at least 0.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=["mean"])
    >>> model.train(enable_progress_bar=False)
    >>> _ = tx.tl.evaluate(adata, model)
    >>> tested = adata.obs.loc[adata.obs["split"] == "test", "perturbation"]
    >>> tx.pl.delta(adata, tested.iloc[0]).get_xlabel()
    'observed Δ (log1p)'
    """
    check_choice("name_by", name_by, ("change", "error"))
    check_drawing(n_labels, ax)
    results = evaluation(adata, key)
    obs, metrics = results["delta_obs"], results["metrics"]
    model = one_of(model, list(dict.fromkeys(metrics["model"])), "model")
    label = one_of(
        canonical_label(perturbation), list(obs[PERTURBATION].astype(str)), "scored perturbation"
    )
    places = {PERTURBATION: label}
    for name, wanted in ((CELL_LINE, cell_line), (MODALITY, modality)):
        if name in obs:
            known = obs.loc[_rows(obs, places), name].astype(str)
            what = f"{name.replace('_', ' ')} of {label}"
            places[name] = one_of(wanted, list(dict.fromkeys(known)), what)
        elif wanted is not None:
            raise KeyError(
                f"There is no {name} {wanted!r}: what was evaluated has no column {name!r}."
            )
    row = np.flatnonzero(_rows(obs, places))[0]
    genes = pd.Index(results["delta_genes"])
    observed, predicted = results["delta"][OBSERVED][row], results["delta"][model][row]
    scored = _rows(metrics, places | {"model": model})
    r = metrics.loc[scored, "pearson_delta"].iloc[0]

    ax = axes_of(ax, 4.2, 4.4)
    colors = Colors.of(ax)
    ax.axhline(0, color=colors.faint, linewidth=1, zorder=0)
    ax.axvline(0, color=colors.faint, linewidth=1, zorder=0)
    both = np.concatenate([observed, predicted])
    low, high = np.nanmin(both), np.nanmax(both)
    ax.plot([low, high], [low, high], color=colors.soft, linewidth=1, zorder=0)
    ax.scatter(observed, predicted, color=colors.model, **dots(len(genes)))
    targets = genes.isin(parse_targets(label))
    ax.scatter(
        observed[targets],
        predicted[targets],
        s=40,
        color=colors.target,
        marker="D",
    )
    ax.margins(0.08)
    of_effects = bool(results["params"].get("of_effects", False))
    ax.set_xlabel(delta_label("observed Δ", of_effects))
    ax.set_ylabel(delta_label(f"Δ predicted by {shown(model, 24)}", of_effects))
    change = observed if name_by == "change" else predicted - observed
    where = ", ".join(shown(name, 16) for name in _named(obs, places))
    titled(ax, f"{shown(label, 32)}, {where}: Pearson Δ = {r:.2f}")
    plain(ax)
    label_points(
        ax,
        observed,
        predicted,
        [f"{gene} (target)" if own else gene for gene, own in zip(genes, targets, strict=True)],
        np.argsort(-np.nan_to_num(np.abs(change)), kind="stable"),
        n_labels=n_labels,
        color=colors.ink,
        also=np.flatnonzero(targets),
        also_color=colors.target,
        longest=30,
    )
    return finish(ax, show, save)


def _rows(table: pd.DataFrame, wanted: Mapping[str, str]) -> BoolArray:
    """Return which rows have the values wanted."""
    found = np.ones(len(table), dtype=bool)
    for name, value in wanted.items():
        found &= (table[name].astype(str) == value).to_numpy()
    return found


def _named(obs: pd.DataFrame, places: Mapping[str, str]) -> list[str]:
    """Return the cell line, and the modality if there are several."""
    several = MODALITY in places and obs[MODALITY].nunique() > 1
    return [places[name] for name in ((CELL_LINE, MODALITY) if several else (CELL_LINE,))]
