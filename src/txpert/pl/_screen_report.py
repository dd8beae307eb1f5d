"""A page about a screen: batches, the mean effect, effect sizes, knockdown, replicates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from txpert._constants import CELL_LINE
from txpert._types import FloatArray

from ._canvas import Colors, closed_on_failure, end, plain, small, titled
from ._labels import scientific, shown
from ._room import wrap_labels

_FDR = 0.05


@closed_on_failure
def screen_report(
    adata: AnnData,
    *,
    key: str = "txpert_screen_report",
    show: bool | None = None,
    save: str | Path | None = None,
) -> Figure:
    """Page of panels about a screen, before any model.

    From upper left: correlation of halves of the controls within and across batches; how unevenly
    perturbations are spread over batches; how similar effects are to the mean effect of the
    others, in their own and in other cell lines; effect size and number of changed genes;
    expression left of the targets; how well replicates find each other across contexts.

    Parameters
    ----------
    adata
        Data that :func:`txpert.tl.screen_report` was run on.
    key
        Key in ``uns``.
    show, save
        As in :func:`profile`.

    Returns
    -------
    The figure.

    Raises
    ------
    KeyError
        If there is no report.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> summary = tx.tl.screen_report(adata)
    >>> len(tx.pl.screen_report(adata).axes)
    6
    """
    if "perturbations" not in adata.uns.get(key, {}):
        raise KeyError(f"adata.uns[{key!r}] has no report; run tx.tl.screen_report(adata).")
    report = adata.uns[key]
    figure, panels = plt.subplots(2, 3, figsize=(7.2, 5.0), layout="constrained")
    lines = [str(line) for line in report["lines"]]
    small(*panels.flat)
    colors = Colors.of(panels[0, 0])
    shades = {line: colors.categories[i % 6] for i, line in enumerate(lines)}
    _controls(panels[0, 0], report, shades)
    _batches(panels[0, 1], report["perturbations"], shades)
    _mean_effect(panels[0, 2], report, shades)
    _sizes(panels[1, 0], report["perturbations"], shades)
    _knockdown(panels[1, 1], report["perturbations"], shades)
    _retrieval(panels[1, 2], report["retrieval"])
    if len(lines) > 1:
        handles = [
            plt.Line2D([], [], marker="o", linestyle="", color=shades[line], label=shown(line, 16))
            for line in lines
        ]
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=min(len(lines), 6),
            frameon=False,
            fontsize=7,
        )
    wrap_labels(*panels.flat)
    end(figure, show, save)
    return figure


def _controls(ax: Axes, report: Mapping[str, Any], shades: Mapping[str, str]) -> None:
    table, summary, ink = report["controls"], report["summary"], Colors.of(ax).ink
    rng = np.random.default_rng(0)
    known = table["r"].dropna()
    for place, kind in enumerate(("within", "across")):
        part = table[table["kind"] == kind].dropna(subset="r")
        if len(part) > 500:
            part = part.iloc[rng.permutation(len(part))[:500]]
        across = place + rng.uniform(-0.25, 0.25, len(part))
        color = [shades[str(line)] for line in part[CELL_LINE]]
        ax.scatter(across, part["r"], c=color, s=8, alpha=0.6, linewidth=0)
        if len(part):
            ax.hlines(part["r"].median(), place - 0.35, place + 0.35, color=ink, linewidth=1.8)
    ax.set_xticks([0, 1], ["within", "across"])
    ax.set_xlabel("batches")
    ax.set_xlim(-0.6, 1.6)
    ax.set_ylabel("correlation of control halves")
    p_values = summary["controls_p_value"].dropna()
    note = f"U test, P = {scientific(p_values.min())}" if len(p_values) else "no test"
    several = " (least of lines)" if len(p_values) > 1 else ""
    titled(ax, f"controls: {note}{several}" if len(known) else "controls: one batch", size=8)
    plain(ax)


def _batches(ax: Axes, table: pd.DataFrame, shades: Mapping[str, str]) -> None:
    colors = Colors.of(ax)
    ordered = table.sort_values("batch_v", ascending=False, kind="stable").reset_index(drop=True)
    found = (ordered["batch_fdr"] < _FDR).to_numpy()
    place, value = np.arange(len(ordered)), ordered["batch_v"].to_numpy(dtype=float)
    shade = np.array([shades[str(line)] for line in ordered[CELL_LINE]])
    ax.scatter(place[~found], value[~found], c=shade[~found], s=8, alpha=0.6, linewidth=0)
    ax.scatter(
        place[found],
        value[found],
        s=22,
        facecolor="none",
        edgecolor=colors.target,
        linewidth=1.2,
        label=f"confounded (FDR < {_FDR:g})",
    )
    if found.any():
        ax.legend(frameon=False, fontsize=7, loc="upper right")
    ax.set_ylim(0, max(1e-6, float(np.nanmax(value, initial=0.1)) * 1.3))
    ax.set_xlabel("perturbations, ranked")
    ax.set_ylabel("Cramér's V with batch")
    titled(ax, f"{found.sum():,} of {len(ordered):,} uneven over batches", size=8)
    plain(ax)


def _mean_effect(ax: Axes, report: Mapping[str, Any], shades: Mapping[str, str]) -> None:
    table, r = report["perturbations"], report["mean_effect_r"].to_numpy(dtype=float)
    edges = np.linspace(-1, 1, 31)
    for line, color in shades.items():
        part = table[table[CELL_LINE].astype(str) == line]
        for name, style in (("r_mean_own", "-"), ("r_mean_other", ":")):
            values = part[name].dropna()
            if len(values):
                n, _ = np.histogram(values, edges)
                ax.stairs(n / len(values), edges, color=color, linestyle=style, linewidth=1.2)
    ink = Colors.of(ax).ink
    if table["r_mean_other"].notna().any():
        ax.set_ylim(top=1.3 * ax.get_ylim()[1])  # room for the legend
        for label, style in (("own line", "-"), ("other lines", ":")):
            ax.plot([], [], color=ink, linestyle=style, label=label)
        ax.legend(frameon=False, fontsize=7, loc="upper left")
    ax.set_xlabel("correlation with the mean effect")
    ax.set_ylabel("fraction of perturbations")
    own, across = np.diag(r), r[~np.eye(len(r), dtype=bool)]
    halves = f"{own[np.isfinite(own)].mean():.2f}" if np.isfinite(own).any() else "undefined"
    text = f"mean effect: r of halves {halves}"
    if np.isfinite(across).any():
        text += f", across lines {across[np.isfinite(across)].mean():.2f}"
    titled(ax, text, size=8)
    plain(ax)


def _sizes(ax: Axes, table: pd.DataFrame, shades: Mapping[str, str]) -> None:
    color = [shades[str(line)] for line in table[CELL_LINE]]
    ax.scatter(table["effect_size"], table["n_de"], c=color, s=10, alpha=0.7, linewidth=0)
    ax.set_xlabel("root mean square Δ")
    ax.set_ylabel("changed genes (FDR < 0.05)")
    titled(ax, f"effects: median of {table['n_de'].median():.0f} genes", size=8)
    plain(ax)


def _knockdown(ax: Axes, table: pd.DataFrame, shades: Mapping[str, str]) -> None:
    colors = Colors.of(ax)
    known = table["remaining"].dropna()
    top = float(np.clip(known.quantile(0.98) if len(known) else 1, 1.2, 5))
    edges = np.linspace(0, top, 25)
    for line, color in shades.items():
        values = table.loc[table[CELL_LINE].astype(str) == line, "remaining"].dropna()
        if len(values):
            n, _ = np.histogram(np.minimum(values, top), edges)
            ax.stairs(n, edges, color=color, linewidth=1.3)
    ax.axvline(1, color=colors.soft, linewidth=1, linestyle=":")
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_xlabel("expression of target / in controls")
    ax.set_ylabel("perturbations")
    median = f"median {known.median():.2f}" if len(known) else "no target measured"
    titled(ax, f"on-target effect: {median}", size=8)
    plain(ax)


def _retrieval(ax: Axes, table: pd.DataFrame) -> None:
    order = [list(dict.fromkeys(table[name])) for name in ("representation", "metric")]
    units = {
        unit: part.set_index(["representation", "metric"])
        for unit, part in table.groupby("unit", sort=False)
    }
    values = _grid(units["pseudobulk"]["mean"], order)
    notes = {}
    if "cell" in units:
        cells = _grid(units["cell"]["quantile_90"], order)
        notes = {place: f"\n{value:.2f}" for place, value in np.ndenumerate(cells)}
    ax.imshow(values, cmap="viridis", vmin=0.5, vmax=1, aspect="auto")
    ax.set_xticks(range(len(order[1])), order[1])
    ax.set_yticks(range(len(order[0])), order[0])
    for place, value in np.ndenumerate(values):
        if np.isfinite(value):
            shade = "black" if value > 0.78 else "white"
            text = f"{value:.2f}{notes.get(place, '')}"
            row, column = place
            ax.text(column, row, text, ha="center", va="center", color=shade, fontsize=7)
    ax.tick_params(length=0)
    below = "\nbelow it: 0.9 quantile of cells" if notes else ""
    ax.set_xlabel(f"mean retrieval (0.5: chance){below}")
    n = int(units["pseudobulk"]["n"].max())
    titled(ax, f"replicates: {n:,} comparisons" if n else "no replicates", size=8)


def _grid(values: pd.Series, order: list[list[str]]) -> FloatArray:
    """Return values by representation and metric as a matrix."""
    return values.unstack("metric").loc[order[0], order[1]].to_numpy(dtype=float)
