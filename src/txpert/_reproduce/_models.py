"""What is compared: the default model, the paper's network and the baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from anndata import AnnData

import txpert as tx
from txpert.graph import KnowledgeGraph
from txpert.tl._fit import graphs_for_benchmark

from ._experiments import Experiment

_AS_IN_THE_PAPER: Mapping[str, Mapping[str, Any]] = {"go": {"term_weights": "uniform"}}
"""Options of functions of ``tx.graph``."""


def models(
    experiment: Experiment,
    graphs: Sequence[KnowledgeGraph],
    architectures: Sequence[str],
    train: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the models of an experiment in the form that :func:`txpert.benchmark` takes."""
    shared: dict[str, Any] = {"graphs": list(graphs), "train": dict(train)}
    papers = {
        f"paper, {name}": partial(fit_paper, architecture=name, **shared) for name in architectures
    }
    return {
        "TxPert": partial(tx.tl.fit_txpert, **shared),
        **papers,
        **{name: name for name in experiment.baselines},
    }


def public_graphs(graphs: Sequence[str | KnowledgeGraph], adata: AnnData) -> list[KnowledgeGraph]:
    """Return graphs; those given by name as in the paper, over all genes of the screen."""
    genes = sorted(tx.get.genes(adata))
    return [
        getattr(tx.graph, graph)(genes=genes, **_AS_IN_THE_PAPER.get(graph, {}))
        if isinstance(graph, str)
        else graph
        for graph in graphs
    ]


def fit_paper(
    adata: AnnData,
    seed: int,
    *,
    graphs: Sequence[KnowledgeGraph],
    architecture: str,
    train: Mapping[str, Any],
) -> tx.TxPertModel:
    """Fit the network as published; a target that no graph knows is a node without edges."""
    import scvi

    scvi.settings.seed = seed
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel.paper(adata, graphs_for_benchmark(adata, graphs), architecture)
    model.train(**model.paper_training(), **train)
    return model
