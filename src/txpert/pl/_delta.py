"""Predicted against observed Δ of one perturbation."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from mudata import MuData

from txpert._constants import CELL_LINE, PERTURBATION, UNS_KEY
from txpert.data._tokens import canonical_label, parse_targets

from ._labels import check_drawing, label_points, shown
from ._results import OBSERVED, evaluation, one_of


def delta(
    adata: AnnData | MuData,
    perturbation: str,
    *,
    cell_line: str | None = None,
    model: str | None = None,
    n_labels: int = 6,
    key: str = UNS_KEY,
    ax: Axes | None = None,
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
        Number of genes named, those that changed most.
    key
        Key in ``uns``.
    ax
        Axes to draw on; by default new ones.

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

    ax = plt.subplots(figsize=(4.2, 4.2))[1] if ax is None else ax
    ax.axhline(0, color="0.85", linewidth=1, zorder=0)
    ax.axvline(0, color="0.85", linewidth=1, zorder=0)
    low, high = min(observed.min(), predicted.min()), max(observed.max(), predicted.max())
    ax.plot([low, high], [low, high], color="0.6", linewidth=1, zorder=0)
    ax.scatter(observed, predicted, s=10, alpha=0.6, linewidth=0)
    targets = genes.isin(parse_targets(label))
    ax.scatter(observed[targets], predicted[targets], s=40, color="C3", marker="D", label="target")
    by_size = np.argsort(-np.abs(observed))
    ax.margins(0.08)
    label_points(ax, observed, predicted, genes, np.flatnonzero(targets), n_labels=3, color="C3")
    others = by_size[~targets[by_size]]
    label_points(ax, observed, predicted, genes, others, n_labels=n_labels)
    if targets.any():
        ax.legend(frameon=False, fontsize=8)
    ax.set_xlabel("observed Δ (log1p)")
    ax.set_ylabel(f"Δ predicted by {shown(model)} (log1p)")
    ax.set_title(f"{shown(label)}, {shown(line)}: Pearson Δ = {r:.2f}", fontsize=10)
    return ax
