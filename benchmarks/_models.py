"""The models that the benchmark scripts compare, as recipes of tx.benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import anndata as ad
import pandas as pd
from _common import PAPER

import txpert as tx
from txpert.datasets._graph_oracle import GraphOracle

PAPERS = {"hybrid_bmp": "the paper's Hybrid-BMP", "gat": "the paper's GAT"}
"""Models of the paper by encoder."""
ORACLES = ("oracle of the graph given", "graph oracle", "truth")


def known(adata: ad.AnnData, seed: int, *, predictor: Any) -> Any:
    """Return a predictor that needs no training."""
    return predictor


def graph_oracle(
    adata: ad.AnnData, seed: int, *, truth: Any, graph: tx.graph.KnowledgeGraph | None = None
) -> GraphOracle:
    """Fit the oracle that has the true graph, or the one given, to the training cells."""
    adata.uns["truth"] = truth
    return GraphOracle(adata, graph)


def baselines(graph: tx.graph.KnowledgeGraph, features: pd.DataFrame | None) -> dict[str, Any]:
    """Return every baseline of the package; the ridge only where there are features."""
    fit = tx.tl.fit_baseline
    models: dict[str, Any] = {
        "no change": "no_change",
        "mean": "mean",
        "general": "general",
        "matching mean": "matching_mean",
        "nearest cell line": "nearest_cell_line",
        "weighted cell line": "weighted_cell_line",
        "batch only": "batch_only",
        "neighbors": partial(fit, kind="neighbors", graphs=graph),
        "kernel": partial(fit, kind="kernel", graphs=graph),
    }
    if features is not None:
        models["ridge"] = partial(fit, kind="ridge", features=features)
    return models


def networks(
    graph: tx.graph.KnowledgeGraph,
    *,
    paper: Sequence[str],
    features: Any = "spectral",
    **train: Any,
) -> dict[str, Any]:
    """Return TxPert, an MLP on gene embeddings in scLAMBDA's place, and some of the paper's."""
    train = {"enable_progress_bar": False, **train}
    txpert = partial(tx.tl.fit_txpert, graphs=graph, train=train)
    others = partial(tx.tl.fit_txpert, graphs=graph, train={"lr": 1e-3, **train})
    models = {
        "TxPert": txpert,
        "MLP on gene embeddings": partial(
            others, **PAPER | {"encoder": "features", "node_inputs": features}
        ),
    }
    for encoder in paper:
        models[PAPERS[encoder]] = partial(others, encoder=encoder, **PAPER)
    return models


def oracles(adata: ad.AnnData, graph: tx.graph.KnowledgeGraph) -> dict[str, Any]:
    """Return recipes of what bounds a simulated screen: graphs, and the truth."""
    truth = adata.uns["truth"]
    return {
        "oracle of the graph given": partial(graph_oracle, truth=truth, graph=graph),
        "graph oracle": partial(graph_oracle, truth=truth),
        "truth": partial(known, predictor=tx.datasets.TruthOracle(adata)),
    }
