"""Predicted against observed Δ of one perturbation."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from mudata import MuData

from txpert._constants import CELL_LINE, PERTURBATION, UNS_KEY
from txpert.data._tokens import canonical_label, parse_targets

from ._canvas import Colors, axes_of, finish, plain, titled
from ._labels import check_drawing, label_points, shown
from ._results import OBSERVED, evaluation, one_of


def delta(
    adata: AnnData | MuData,
    perturbation: str,
    *,
    cell_line: str | None = None,
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
        If there is no evaluation, or it lacks the perturbation, cell line or model.
    """
    check_drawing(n_labels, ax)
    results = evaluation(adata, key)
    obs, metrics = results["delta_obs"], results["metrics"]
    model = one_of(model, list(dict.fromkeys(metrics["model"])), "model")
    label = one_of(
        canonical_label(perturbation), list(obs[PERTURBATION].astype(str)), "scored perturbation"
    )
    lines = obs.loc[obs[PERTURBATION].astype(str) == label, CELL_LINE].astype(str)
    line = one_of(cell_line, list(lines), f"cell line of {label}")
    row = np.flatnonzero((obs[PERTURBATION] == label) & (obs[CELL_LINE] == line))[0]
    genes = pd.Index(results["delta_genes"])
    observed, predicted = results["delta"][OBSERVED][row], results["delta"][model][row]
    correlation = metrics.set_index(["model", PERTURBATION, CELL_LINE]).sort_index()
    r = correlation.loc[(model, label, line), "pearson_delta"]

    ax = axes_of(ax, 4.2, 4.4)
    colors = Colors.of(ax)
    ax.axhline(0, color=colors.faint, linewidth=1, zorder=0)
    ax.axvline(0, color=colors.faint, linewidth=1, zorder=0)
    both = np.concatenate([observed, predicted])
    low, high = np.nanmin(both), np.nanmax(both)
    ax.plot([low, high], [low, high], color=colors.soft, linewidth=1, zorder=0)
    ax.scatter(observed, predicted, s=10, color=colors.model, alpha=0.6, linewidth=0)
    targets = genes.isin(parse_targets(label))
    ax.scatter(
        observed[targets],
        predicted[targets],
        s=40,
        color=colors.target,
        marker="D",
        label="target",
    )
    ax.margins(0.08)
    if targets.any():
        ax.legend(frameon=False, fontsize=8, loc="upper left")
    ax.set_xlabel("observed Δ (log1p)")
    ax.set_ylabel(f"Δ predicted by {shown(model, 24)} (log1p)")
    size = observed if name_by == "change" else predicted - observed
    titled(ax, f"{shown(label, 32)}, {shown(line, 16)}: Pearson Δ = {r:.2f}")
    plain(ax)
    label_points(
        ax,
        observed,
        predicted,
        list(genes),
        np.argsort(-np.nan_to_num(np.abs(size)), kind="stable"),
        n_labels=n_labels,
        color=colors.ink,
        also=np.flatnonzero(targets),
        also_color=colors.target,
    )
    return finish(ax, show, save)
