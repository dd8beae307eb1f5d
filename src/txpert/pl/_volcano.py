"""Size against certainty of a predicted effect, gene by gene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from anndata import AnnData
from matplotlib.axes import Axes

from txpert._analysis._effects import TARGET, effect_table, with_tests
from txpert._constants import DELTA
from txpert._options import check_number
from txpert.data._tokens import parse_targets

from ._canvas import Colors, axes_of, closed_on_failure, finish, plain, titled
from ._labels import check_drawing, delta_label, label_points, shown
from ._predictions import Predicted
from ._room import legend_below


@closed_on_failure
def volcano(
    prediction: AnnData,
    perturbation: str,
    *,
    cell_line: str | None = None,
    fdr: float = 0.05,
    n_labels: int = 8,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Predicted Δ of every gene against the certainty that it is not 0.

    Certainty is −log10 of the two-sided P value of Δ over its predicted standard deviation,
    under a normal distribution. That is the model's own uncertainty, no test of data. Genes whose
    standard deviation is 0 stand on a line at the top.

    Parameters
    ----------
    prediction
        What ``model.predict(..., return_std=True)`` returned.
    perturbation, cell_line, ax, show, save
        As in :func:`profile`.
    fdr
        Genes with a false discovery rate (Benjamini-Hochberg) below are colored.
    n_labels
        Number of genes named, those of the smallest P values; targets always are.

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If there is no Δ, or no such perturbation or cell line.
    TypeError
        If ``ax`` are no axes.
    ValueError
        If the prediction has no ``layers["std"]``, or no gene has a Δ with one; or an option is
        out of range.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> prediction = tx.baselines.GeneralBaseline().fit(adata).predict("GENE3")
    >>> prediction.layers["std"] = 0.1 + 0 * prediction.X
    >>> tx.pl.volcano(prediction, "GENE3").get_xlabel()
    'predicted Δ (log1p)'
    """
    check_number("fdr", fdr, least=0, most=1)
    check_drawing(n_labels, ax)
    table = Predicted.of(prediction, cell_line)
    row = table.row(perturbation)
    label, line = table.name(row)
    if table.std is None:
        raise ValueError(
            'The prediction has no layers["std"]: predict with return_std=True, by a model with '
            "the component 'gaussian_process'."
        )
    effects = effect_table(table.genes, table.delta[row], parse_targets(label), std=table.std[row])
    genes = with_tests(effects).dropna(subset=["minus_log10_p"])
    if genes.empty:
        raise ValueError(
            f"{label} has no gene with a Δ and a standard deviation of which one is not 0: there "
            "is nothing to draw."
        )
    ax = axes_of(ax, 4.2, 3.6)
    colors = Colors.of(ax)
    x, y = genes[DELTA].to_numpy(float), genes["minus_log10_p"].to_numpy(float)
    certain = np.isinf(y)
    top = 1.1 * float(y[~certain].max(initial=1))
    y = np.where(certain, top, y)
    found, target = (genes["fdr"] < fdr).to_numpy(), genes[TARGET].to_numpy()
    parts = {
        "other": (~found, colors.soft, 6, 0.4),
        f"down, FDR < {fdr:g}": (found & (x < 0), colors.model, 12, 0.8),
        f"up, FDR < {fdr:g}": (found & (x > 0), colors.categories[1], 12, 0.8),
    }
    for name, (chosen, color, size, alpha) in parts.items():
        if chosen.any():
            some = f"{name} ({chosen.sum():,})"
            ax.scatter(
                x[chosen], y[chosen], s=size, color=color, alpha=alpha, linewidth=0, label=some
            )
    if target.any():
        ax.scatter(x[target], y[target], s=40, color=colors.target, marker="D", label="target")
    if certain.any():
        label_top = f"std = 0 ({certain.sum():,})"
        ax.axhline(top, color=colors.soft, linewidth=1, linestyle=":", zorder=0, label=label_top)
    ax.axvline(0, color=colors.faint, linewidth=1, zorder=0)
    ax.margins(0.1)
    ax.set_ylim(bottom=0)
    ax.set_xlabel(delta_label(f"{table.kind} Δ", table.of_effects))
    ax.set_ylabel("certainty of Δ ≠ 0 (−log10 P)")
    titled(ax, f"{shown(label, 24)}, {shown(line, 16)}")
    plain(ax)
    legend_below(ax)
    order = np.argsort(-y, kind="stable")
    label_points(
        ax,
        x,
        y,
        list(genes.index),
        order[found[order]],
        n_labels=n_labels,
        color=colors.ink,
        also=np.flatnonzero(target),
        also_color=colors.target,
    )
    return finish(ax, show, save)
