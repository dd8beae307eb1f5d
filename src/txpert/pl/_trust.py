"""For which perturbations predictions are good, and where they are off."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from txpert._constants import CELL_LINE, MODALITY, PERTURBATION, UNS_KEY
from txpert.evaluation._metrics import score_label

from ._canvas import Colors, closed_on_failure, end, plain, small, titled
from ._delta import delta
from ._labels import delta_label, shown
from ._room import wrap_labels

_NAMES = {
    "effect_size": "effect size",
    "control_expression": "expression of target",
    "graph_degree": "degree in graph",
    "n_de": "changed genes",
    "knowledge": "knowledge of target",
    "predicted_std": "predicted std",
}


@closed_on_failure
def trust(
    adata: AnnData,
    *,
    perturbation: str | None = None,
    key: str = "txpert_trust",
    evaluation_key: str = UNS_KEY,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Figure:
    """Page of four panels: when to trust a prediction.

    From upper left: score by how much is known of the target; Spearman's correlation of the score
    with what may explain it, filled where the false discovery rate is below 0.05; signed error of
    Δ at the targets and at other genes; one perturbation predicted against observed, with its
    target and the worst misses named.

    Parameters
    ----------
    adata
        Data that :func:`txpert.tl.trust` was run on.
    perturbation
        The perturbation of the last panel; by default that of the median score.
    key, evaluation_key
        Keys in ``uns``.
    show, save
        As in :func:`profile`.

    Returns
    -------
    The figure.

    Raises
    ------
    KeyError
        If there is no such analysis or perturbation.
    ValueError
        If no perturbation has a score.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=["mean"])
    >>> model.train(enable_progress_bar=False)
    >>> _ = tx.tl.evaluate(adata, model)
    >>> _ = tx.tl.trust(adata)
    >>> len(tx.pl.trust(adata).axes) > 1
    True
    """
    if "correlations" not in adata.uns.get(key, {}):
        raise KeyError(f"adata.uns[{key!r}] has no such analysis; run tx.tl.trust(adata).")
    found = adata.uns[key]
    table, params = found["perturbations"], found["params"]
    scored = table.dropna(subset="score").sort_values("score", kind="stable")
    if scored.empty:
        raise ValueError(f"{params['metric']} is undefined for every perturbation.")
    figure, panels = plt.subplots(2, 2, figsize=(7.2, 6.2), layout="constrained")
    small(*panels.flat)
    label = score_label(params["metric"])
    _by_level(panels[0, 0], table, label)
    _correlations(panels[0, 1], found["correlations"], label)
    _errors(panels[1, 0], table, bool(params.get("of_effects", False)))
    line = modality = None
    if perturbation is None:
        middle = scored.iloc[len(scored) // 2]
        perturbation, line = str(middle[PERTURBATION]), str(middle[CELL_LINE])
        modality = middle.get(MODALITY)
    delta(
        adata,
        perturbation,
        cell_line=line,
        modality=modality,
        model=params["model"],
        name_by="error",
        key=evaluation_key,
        ax=panels[1, 1],
    )
    wrap_labels(*panels.flat)
    end(figure, show, save)
    return figure


def _by_level(ax: Axes, table: pd.DataFrame, label: str) -> None:
    colors, rng = Colors.of(ax), np.random.default_rng(0)
    known = table.dropna(subset=["level", "score"])
    groups = sorted(known["level"].unique())
    names = []
    for place, level in enumerate(groups):
        values = known.loc[known["level"] == level, "score"].to_numpy(dtype=float)
        across = place + rng.uniform(-0.22, 0.22, len(values))
        ax.scatter(across, values, s=12, color=colors.model, alpha=0.6, linewidth=0)
        ax.hlines(values.mean(), place - 0.35, place + 0.35, color=colors.ink, linewidth=2)
        names.append(f"{level:g}\n(n = {len(values)})")
    ax.set_xticks(range(len(groups)), names)
    ax.set_xlabel("level of knowledge of the target")
    ax.set_ylabel(label)
    if not groups:
        ax.text(0.5, 0.5, "nothing known of any target", ha="center", transform=ax.transAxes)
    titled(ax, "by knowledge (line: mean)", size=9)
    plain(ax)


def _correlations(ax: Axes, table: pd.DataFrame, label: str) -> None:
    colors = Colors.of(ax)
    rows = table.sort_values("rho").reset_index(drop=True)
    place = np.arange(len(rows))
    ax.axvline(0, color=colors.soft, linewidth=1, zorder=0)
    ax.hlines(place, 0, rows["rho"], color=colors.faint, linewidth=2, zorder=1)
    face = [colors.model if rate < 0.05 else colors.paper for rate in rows["fdr"]]
    ax.scatter(rows["rho"], place, s=40, c=face, edgecolor=colors.model, zorder=2, clip_on=False)
    ax.set_yticks(place, [_NAMES.get(name, shown(name, 20)) for name in rows["covariate"]])
    ax.set_xlim(-1, 1)
    ax.set_xticks([-1, -0.5, 0, 0.5, 1])
    ax.set_ylim(-0.6, max(len(rows), 1) - 0.4)
    ax.set_xlabel(f"Spearman's ρ with {label}")
    titled(ax, "what explains the score", size=9)
    plain(ax)


def _errors(ax: Axes, table: pd.DataFrame, of_effects: bool) -> None:
    colors, rng = Colors.of(ax), np.random.default_rng(0)
    ax.axhline(0, color=colors.soft, linewidth=1, zorder=0)
    columns = {
        "error_target": ("targets", colors.target),
        "error_others": ("other genes, mean", colors.model),
    }
    names = []
    for place, (column, (name, color)) in enumerate(columns.items()):
        values = table[column].dropna().to_numpy(dtype=float)
        across = place + rng.uniform(-0.25, 0.25, len(values))
        ax.scatter(across, values, s=12, color=color, alpha=0.6, linewidth=0)
        if len(values):
            ax.hlines(values.mean(), place - 0.35, place + 0.35, color=colors.ink, linewidth=2)
        names.append(f"{name}\n(n = {len(values)})")
    ax.set_xticks(range(len(names)), names)
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_ylabel(delta_label("predicted − observed Δ", of_effects))
    titled(ax, "signed error (line: mean)", size=9)
    plain(ax)
