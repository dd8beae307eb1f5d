"""The figure of the README: held-out perturbations of the demo's screen, observed and predicted.

python benchmarks/overview.py [--seed 0] [--output docs/_static/overview.png]

Trains what python -m txpert.demo trains. The scores go to results/overview.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import anndata as ad
import matplotlib.pyplot as plt
import numpy as np
import scvi
from _common import quiet, store
from matplotlib.axes import Axes
from scipy.cluster.hierarchy import leaves_list, linkage

import txpert as tx

FIGURE = Path(__file__).parents[1] / "docs" / "_static" / "overview.png"
TITLES = {
    "observed": "Observed",
    "TxPert": "TxPert",
    "general": "Mean effect",
}
N_GENES = 60


def evaluated(seed: int) -> ad.AnnData:
    """Return the screen of the demo after an evaluation."""
    scvi.settings.seed = seed
    adata = tx.datasets.simulate(n_genes=500, seed=seed)
    tx.pp.normalize(adata)
    tx.pp.split(adata, seed=seed)
    targets = adata.obs["perturbation"].astype(str).unique()
    graph = tx.graph.go(sorted({*targets, *adata.var_names} - {"control"}))
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graphs=[graph])
    model.train(max_epochs=100, enable_progress_bar=False)
    tx.tl.evaluate(adata, model)
    return adata


def draw(found: dict[str, Any]) -> plt.Figure:
    """Draw Δ of held-out perturbations × genes, and the scores of each."""
    deltas, targets = found["delta"], found["delta_obs"]["perturbation"].astype(str)
    own = np.isin(found["delta_genes"].astype(str), targets)  # known without a model
    spread = np.where(own, 0, deltas["observed"].std(axis=0))
    genes = np.argsort(spread)[-N_GENES:]
    observed = deltas["observed"][:, genes]
    rows = leaves_list(linkage(observed, "average", "correlation"))
    columns = genes[leaves_list(linkage(observed.T, "average", "correlation"))]
    limit = float(np.quantile(np.abs(observed), 0.98))

    figure = plt.figure(figsize=(9, 3.3), layout="constrained")
    axes = figure.subplots(1, 5, width_ratios=[3, 3, 3, 2, 2])
    for ax, (name, title) in zip(axes, TITLES.items(), strict=False):
        image = ax.imshow(
            deltas[name][np.ix_(rows, columns)],
            aspect="auto",
            cmap="RdBu_r",
            vmin=-limit,
            vmax=limit,
            interpolation="nearest",
        )
        ax.set(title=title, xlabel="genes", xticks=[], yticks=[])
    axes[0].set_ylabel(f"{len(rows)} perturbations\nnot trained on")
    bar = figure.colorbar(image, ax=axes[2], fraction=0.06, pad=0.02)
    bar.set_label("Δ, log expression")
    for ax, metric, label in zip(
        axes[3:], ("pearson_delta", "retrieval"), ("Pearson Δ", "Retrieval"), strict=True
    ):
        pairs(ax, found["metrics"].pivot(index="perturbation", columns="model", values=metric))
        ax.set_title(label)
    return figure


def pairs(ax: Axes, scores: Any) -> None:
    """Draw the scores of each perturbation by the baseline and by TxPert, and their means."""
    values = scores[["general", "TxPert"]].to_numpy()
    ax.plot([0, 1], values.T, color="0.75", linewidth=0.5)
    ax.plot([0, 1], values.mean(axis=0), color="C3", marker="o", linewidth=2)
    for x, mean in enumerate(values.mean(axis=0)):
        place = {"xytext": (-7 if x == 0 else 7, 0), "textcoords": "offset points"}
        align = {"ha": "right" if x == 0 else "left", "va": "center"}
        ax.annotate(f"{mean:.2f}", (x, mean), color="C3", **place, **align)
    ax.tick_params("x", labelsize=8)
    ax.set(xlim=(-0.8, 1.8), ylim=(min(0, values.min()), 1.02))
    ax.set_xticks([0, 1], ["mean\neffect", "TxPert\n"])
    ax.spines[["top", "right"]].set_visible(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=FIGURE)
    options = parser.parse_args()
    quiet()
    found = evaluated(options.seed).uns["txpert"]
    draw(found).savefig(options.output, dpi=110)
    columns = ["pearson_delta", "retrieval", "mse", "n_perturbations"]
    store("overview", found["summary"][columns].reset_index(names="model").to_dict("records"))


if __name__ == "__main__":
    main()
