from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from scvi import settings

from txpert.graph import Graphs, KnowledgeGraph, as_graphs
from txpert.nn import GraphTensors


def read_graphs(graphs: Graphs) -> list[KnowledgeGraph]:
    """Return the graphs that a user gave, one or several, or a saved model has.

    Raises
    ------
    TypeError
        If something is no graph.
    """
    return as_graphs(graphs)


def node_vocabulary(
    graphs: Sequence[KnowledgeGraph], genes: Sequence[str], extra_nodes: Sequence[str] | None
) -> tuple[pd.Index, list[str]]:
    """Bring graphs and further genes onto one vocabulary of nodes.

    Parameters
    ----------
    graphs
        Graphs.
    genes
        Genes that are nodes as well: targets of the screen and those with features.
    extra_nodes
        Nodes besides the graphs' own; ``None`` takes the genes that no graph holds.

    Returns
    -------
    All nodes in sorted order, and those that no graph holds.
    """
    held = {node for graph in graphs for node in graph.nodes}
    if extra_nodes is None:
        extra_nodes = sorted(set(genes) - held)
    return pd.Index(sorted(held | set(extra_nodes)), name="gene"), list(extra_nodes)


def graph_tensors(graphs: Sequence[KnowledgeGraph], nodes: pd.Index) -> list[GraphTensors]:
    """Return each graph's edges as positions in ``nodes``, and their weights."""
    tensors = []
    for graph in graphs:
        position = nodes.get_indexer(graph.nodes)
        edges = np.stack([position[graph.source], position[graph.target]]).astype(np.int64)
        tensors.append(GraphTensors(torch.from_numpy(edges), torch.tensor(graph.weight)))
    return tensors


def warn_of_isolated(
    targets: Sequence[str],
    graphs: Sequence[GraphTensors],
    nodes: pd.Index,
    described: Sequence[str],
) -> None:
    """Warn of targets that neither a graph nor given features can say anything about."""
    linked = {int(node) for graph in graphs for node in graph.edges[1].unique()}
    positions = nodes.get_indexer(pd.Index(targets))
    lonely = sorted(
        {t for t, i in zip(targets, positions, strict=True) if int(i) not in linked}
        - set(described)
    )
    if lonely:
        shown = ", ".join(lonely[:10]) + (", …" if len(lonely) > 10 else "")
        warnings.warn(
            f"No graph has an edge into {len(lonely)} of the {len(targets)} perturbed genes: "
            f"{shown}. They become isolated nodes: those trained on are learned from their own "
            "cells alone, and predictions for unseen ones fall back to the mean effect. A graph "
            "made for chosen genes, as by tx.graph.go(genes), must be asked for the targets too.",
            UserWarning,
            stacklevel=settings.warnings_stacklevel,
        )


def check_overlap(
    graphs: Sequence[KnowledgeGraph], described: Sequence[str], targets: Sequence[str]
) -> None:
    """Check that each graph, and given features, are about the genes of the screen.

    Raises
    ------
    ValueError
        If one has none of the targets.
    """
    holders = [(f"Graph {graph.name!r} holds", list(graph.nodes)) for graph in graphs]
    if described:
        holders.append(("The features in node_inputs describe", list(described)))
    for holder, genes in holders:
        if targets and not set(genes) & set(targets):
            raise ValueError(
                f"{holder} none of the {len(targets)} perturbed genes: its genes are like "
                f"{', '.join(genes[:3])}, the targets like {', '.join(targets[:3])}. Both must "
                "use the same gene symbols."
            )
