"""Scores of a model against those of a baseline."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from anndata import AnnData
from matplotlib.axes import Axes
from mudata import MuData

from txpert._constants import CELL_LINE, PERTURBATION, UNS_KEY
from txpert.evaluation._metrics import score_label, score_names

from ._labels import check_drawing, label_points, shown
from ._results import evaluation, one_of


def scores(
    adata: AnnData | MuData,
    metric: str = "pearson_delta",
    *,
    model: str | None = None,
    baseline: str | None = None,
    n_labels: int = 5,
    key: str = UNS_KEY,
    ax: Axes | None = None,
) -> Axes:
    """Model against baseline, each perturbation a dot; above the diagonal the model is better.

    Below it for the mean squared error, which is better the smaller it is.

    Parameters
    ----------
    adata
        Data that :func:`txpert.tl.evaluate` was run on.
    metric
        One of pearson_delta, retrieval, retrieval_fast and mse.
    model, baseline
        Names in the evaluation; by default its first and second.
    n_labels
        Number of perturbations named, those that differ most.
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
        If there is no evaluation, or no such metric or model in it.
    ValueError
        If the metric is undefined for every perturbation.
    """
    check_drawing(n_labels, ax)
    metrics = evaluation(adata, key)["metrics"]
    one_of(metric, score_names(main=True), "metric")
    names = list(dict.fromkeys(metrics["model"]))
    model, baseline = one_of(model, names, "model"), one_of(baseline, names, "model", default=-1)
    wide = metrics.pivot(index=[PERTURBATION, CELL_LINE], columns="model", values=metric)
    wide = wide[[baseline, model]].dropna() if model != baseline else wide.dropna()
    if wide.empty:
        raise ValueError(f"{metric} is undefined for every perturbation of {baseline} or {model}.")
    x, y = wide[baseline].to_numpy(), wide[model].to_numpy()
    ax = plt.subplots(figsize=(4.2, 4.2))[1] if ax is None else ax
    ax.scatter(x, y, s=18, alpha=0.75, linewidth=0)
    limits = [min(x.min(), y.min()), max(x.max(), y.max())]
    margin = 0.06 * (limits[1] - limits[0] or 1.0)
    limits = [limits[0] - margin, limits[1] + margin]
    ax.plot(limits, limits, color="0.6", linewidth=1, zorder=0)
    ax.set(xlim=limits, ylim=limits, aspect="equal")
    names = wide.index.get_level_values(PERTURBATION)
    label_points(ax, x, y, names, np.argsort(-np.abs(y - x)), n_labels=n_labels)
    ax.set_xlabel(f"{shown(baseline)} (mean {x.mean():.3g})")
    ax.set_ylabel(f"{shown(model)} (mean {y.mean():.3g})")
    ax.set_title(f"{score_label(metric)}, {len(wide)} perturbations", fontsize=10)
    return ax
