"""Scores of a model against those of a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from mudata import MuData

from txpert._constants import CELL_LINE, MODALITY, PERTURBATION, SPLIT, UNS_KEY
from txpert._types import BoolArray, FloatArray
from txpert.data._tokens import canonical_label
from txpert.evaluation._metrics import score_label, score_names
from txpert.metrics import paired_test
from txpert.splits._perturbations import group_key

from ._canvas import Colors, axes_of, closed_on_failure, dots, finish, plain, titled
from ._labels import check_drawing, label_points, shown
from ._results import evaluation, one_of
from ._room import legend_below


@closed_on_failure
def scores(
    adata: AnnData | MuData,
    metric: str = "pearson_delta",
    *,
    model: str | None = None,
    baseline: str | None = None,
    n_labels: int = 5,
    key: str = UNS_KEY,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Model against baseline, each perturbation a dot; above the diagonal the model is better.

    Below it for the mean squared error, which is better the smaller it is. Where the split that
    ``setup_anndata`` registered has groups (:func:`txpert.pp.split`), they have colors. The title
    has the mean difference, its 95% bootstrap interval over perturbations, and their number.

    Parameters
    ----------
    adata
        Data that :func:`txpert.tl.evaluate` was run on.
    metric
        One of pearson_delta, retrieval, retrieval_fast and mse.
    model, baseline
        Names in the evaluation; by default its first and last.
    n_labels
        Number of perturbations named, those that differ most.
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
        If there is no evaluation, or no such metric or model in it.
    TypeError
        If ``ax`` are no axes.
    ValueError
        If the metric is undefined for every perturbation, model and baseline are the same, or
        ``n_labels`` is no whole number of at least 0.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=["mean"])
    >>> model.train(enable_progress_bar=False)
    >>> _ = tx.tl.evaluate(adata, model)
    >>> tx.pl.scores(adata).get_ylabel().split()[0]
    'TxPert'
    """
    check_drawing(n_labels, ax)
    results = evaluation(adata, key)
    metrics = results["metrics"]
    one_of(metric, score_names(main=True), "metric")
    names = list(dict.fromkeys(metrics["model"]))
    model, baseline = one_of(model, names, "model"), one_of(baseline, names, "model", default=-1)
    if model == baseline:
        raise ValueError(
            f"{model!r} would be compared with itself: evaluate with a baseline, "
            "tx.tl.evaluate(adata, model, baselines={...}), or name another one by baseline=; "
            f"the evaluation has {', '.join(names)}."
        )
    rows = [name for name in (PERTURBATION, CELL_LINE, MODALITY) if name in metrics]
    wide = metrics.pivot(index=rows, columns="model", values=metric)
    wide = wide[[baseline, model]].dropna()
    if wide.empty:
        raise ValueError(f"{metric} is undefined for every perturbation of {baseline} or {model}.")
    x, y = wide[baseline].to_numpy(), wide[model].to_numpy()
    groups = _groups(adata.obs, results.get("params", {}), wide.index)
    ax = axes_of(ax, 4.2, 4.6 + 0.3 * (len(groups) > 1))
    colors = Colors.of(ax)
    for color, (group, chosen) in zip(_shades(groups, colors), groups.items(), strict=True):
        name = f"{shown(group, 24)} ({chosen.sum():,})"
        ax.scatter(x[chosen], y[chosen], color=color, label=name, **dots(len(x)))
    _square(ax, np.concatenate([x, y]), colors)
    names = _names(wide.index)
    ax.set_xlabel(f"{shown(baseline, 24)} (mean {x.mean():.3g})")
    ax.set_ylabel(f"{shown(model, 24)} (mean {y.mean():.3g})")
    titled(ax, f"{score_label(metric)}: {_difference(x, y)}", size=9)
    plain(ax)
    if len(groups) > 1:
        legend_below(ax)
    order = np.argsort(-np.abs(y - x), kind="stable")
    label_points(ax, x, y, names, order, n_labels=n_labels, color=colors.ink, longest=26)
    return finish(ax, show, save)


def _names(index: pd.MultiIndex) -> list[str]:
    """Return perturbations, with the cell line and modality where there are several."""
    table = index.to_frame(index=False).astype(str)
    kept = [name for name in table if name == PERTURBATION or table[name].nunique() > 1]
    return [", ".join(row) for row in table[kept].itertuples(index=False, name=None)]


def _groups(
    obs: pd.DataFrame, params: Mapping[str, Any], index: pd.MultiIndex
) -> dict[str, BoolArray]:
    """Return which observations are in each group of the split; all in one if there is none."""
    label, group = params.get("perturbation_key", PERTURBATION), params.get("split_key", SPLIT)
    columns = [label, group_key(group)]
    if not set(columns) <= set(obs):
        return {"": np.ones(len(index), dtype=bool)}
    rows = obs[columns].dropna().drop_duplicates().astype(str)
    known = {
        canonical_label(label): group for label, group in rows.itertuples(index=False, name=None)
    }
    names = [canonical_label(str(label)) for label in index.get_level_values(PERTURBATION)]
    found = np.array([known.get(name, "no group") for name in names])
    return {str(group): found == group for group in np.unique(found)}


def _shades(groups: dict[str, BoolArray], colors: Colors) -> list[str]:
    n = len(colors.categories)
    return [colors.categories[number % n] for number in range(len(groups))]


def _square(ax: Axes, values: FloatArray, colors: Colors) -> None:
    """Give both axes the same limits and ticks, and draw the diagonal."""
    low, high = float(values.min()), float(values.max())
    margin = 0.1 * (high - low or 1.0)
    low, high = low - margin, high + margin
    ax.plot([low, high], [low, high], color=colors.soft, linewidth=1, zorder=0)
    ticks = [tick for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]
    ax.set_xticks(ticks)
    ax.set_yticks(ticks)
    ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")


def _difference(baseline: FloatArray, model: FloatArray) -> str:
    if len(model) < 2:
        return f"difference {(model - baseline).mean():+.3g}, n = {len(model)}"
    test = paired_test(model, baseline, n_resamples=1_999)
    interval = f"95% interval {test.low:+.2g} to {test.high:+.2g}"
    return f"difference {test.difference:+.2g}\n{interval}, n = {test.n:,}"
