"""Graphs from the training perturbations of a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from txpert._options import check_whole

from ._features import Metric, Sign, from_features
from ._filters import check_fraction
from ._knowledge_graph import KnowledgeGraph

if TYPE_CHECKING:
    from anndata import AnnData

_COLUMNS = ("perturbation", "control", "n_cells", "split")


def from_screen(
    pseudobulk: AnnData,
    *,
    nodes: Literal["genes", "perturbations"] = "genes",
    metric: Metric = "correlation",
    sign: Sign = "absolute",
    top_fraction: float = 1.0,
    k: int | None = 20,
    layer: str = "delta",
    name: str = "screen",
) -> KnowledgeGraph:
    """Connect genes by the effects of the training perturbations of a screen.

    Only training data may enter: a graph that has seen the effects to be predicted would make
    every later score worthless. The graph remembers the conditions it has seen
    (``learned_from``), so that :func:`txpert.pp.check_split` finds one made for another split.

    Parameters
    ----------
    pseudobulk
        Conditions × genes, as :func:`txpert.pp.pseudobulk` returns it, the training conditions
        only, with the columns perturbation, control, n_cells and split in ``obs``. Contexts of a
        perturbation are averaged, weighted by their cells, each gene over those that measure it;
        an effect that none measures is filled in with the mean of its node.
    nodes
        "genes": the measured genes, connected if they respond similarly to the training
        perturbations, so unseen targets have neighbors too if they are measured.
        "perturbations": the single targets in training, connected if their effects are similar.
    metric, sign, top_fraction, k
        As in :func:`from_features`.
    layer
        Layer with the effects.
    name
        Name of the graph.

    Raises
    ------
    ValueError
        If there are rows of the validation or test split, or too few training perturbations.
    KeyError
        If a column of ``obs`` or the layer is missing.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> table = tx.pp.pseudobulk(adata)
    >>> tx.graph.from_screen(table[table.obs["split"] == "train"], top_fraction=0.1).name
    'screen'
    """
    if nodes not in ("genes", "perturbations"):
        raise ValueError(f"nodes must be 'genes' or 'perturbations', not {nodes!r}.")
    if not hasattr(pseudobulk, "layers"):
        raise TypeError(f"pseudobulk is an AnnData, not {type(pseudobulk).__name__}.")
    check_fraction(top_fraction, "top_fraction")
    check_whole("k", k, least=1, optional=True)
    rows = _training_rows(pseudobulk, layer)
    effects = _effects(rows, layer)
    if nodes == "genes":
        effects = effects.T
    else:
        effects = effects[~effects.index.str.contains("+", regex=False)]
        rows = rows[rows.obs["perturbation"].isin(effects.index)]
    effects = effects.dropna(axis=1, how="all")
    if min(effects.shape) < 2:
        raise ValueError(
            f"A graph of {nodes} needs at least two training perturbations and two genes, not "
            f"{effects.shape[0]} × {effects.shape[1]}."
        )
    graph = from_features(
        effects,
        name=name,
        metric=metric,
        sign=sign,
        top_fraction=top_fraction,
        k=k,
        missing="mean",
    )
    seen = _conditions(rows.obs)
    history = [f"from_screen({nodes}, {layer}, {len(seen)} conditions)", *graph.provenance]
    return KnowledgeGraph(name, graph.nodes, *graph.arrays, history, seen)


def _training_rows(pseudobulk: AnnData, layer: str) -> AnnData:
    """Return the perturbed conditions in training; refuse any that are held out."""
    obs = pseudobulk.obs
    for column in _COLUMNS:
        if column not in obs:
            raise KeyError(
                f"There is no column {column!r} in obs of the pseudobulk; run tx.pp.split, then "
                "tx.pp.pseudobulk."
            )
    if layer not in pseudobulk.layers:
        raise KeyError(f"There is no layer {layer!r} in the pseudobulk.")
    split = obs["split"].astype(object)
    unseen = split.isin(["val", "test"])
    if unseen.any():
        raise ValueError(
            f"{unseen.sum()} conditions belong to the validation or test split, such as "
            f"{obs['perturbation'][unseen].iloc[0]!r}, which a graph must not see; pass "
            'pseudobulk[pseudobulk.obs["split"] == "train"].'
        )
    return pseudobulk[((split == "train") & ~obs["control"].astype(bool)).to_numpy()]


def _conditions(obs: pd.DataFrame) -> list[str]:
    """Name the conditions by cell line and perturbation, each once."""
    line = obs["cell_line"].astype(str) if "cell_line" in obs else "all"
    return sorted(set(line + "|" + obs["perturbation"].astype(str)))


def _effects(rows: AnnData, layer: str) -> pd.DataFrame:
    """Return perturbations × genes, averaged by cells over the contexts that measure a gene."""
    delta = rows.to_df(layer)
    cells = rows.obs["n_cells"].to_numpy(dtype=np.float64)
    perturbation = rows.obs["perturbation"].astype(str).to_numpy()
    weighted = delta.mul(cells, axis=0).groupby(perturbation).sum()
    return weighted / delta.notna().mul(cells, axis=0).groupby(perturbation).sum()
