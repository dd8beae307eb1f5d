from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from scvi import settings

from txpert.graph import KnowledgeGraph
from txpert.nn import GraphTensors

Graphs = KnowledgeGraph | Sequence[KnowledgeGraph | Mapping[str, Any]]


def node_vocabulary(
    graphs: Graphs, targets: Sequence[str], extra_nodes: Sequence[str] | None
) -> tuple[list[KnowledgeGraph], pd.Index, list[str]]:
    """Bring graphs and targets onto one vocabulary of nodes.

    Parameters
    ----------
    graphs
        Graphs, or dictionaries of them as a saved model has.
    targets
        Perturbed genes of the screen.
    extra_nodes
        Nodes besides the graphs' own; ``None`` takes the targets that no graph holds.

    Returns
    -------
    The graphs, all nodes in sorted order, and the nodes that no graph holds.

    Raises
    ------
    TypeError
        If something is no graph.
    ValueError
        If a graph has none of the targets as a node.
    """
    given = [graphs] if isinstance(graphs, KnowledgeGraph) else list(graphs)
    resolved = [
        KnowledgeGraph.from_dict(graph) if isinstance(graph, Mapping) else graph for graph in given
    ]
    for graph in resolved:
        if not isinstance(graph, KnowledgeGraph):
            raise TypeError(f"graphs takes tx.graph.KnowledgeGraph objects, not {type(graph)}.")
    held = {node for graph in resolved for node in graph.nodes}
    if extra_nodes is None:
        for graph in resolved:
            _check_overlap(graph, targets)
        extra_nodes = sorted(set(targets) - held)
    return resolved, pd.Index(sorted(held | set(extra_nodes)), name="gene"), list(extra_nodes)


def graph_tensors(graphs: Sequence[KnowledgeGraph], nodes: pd.Index) -> list[GraphTensors]:
    """Return each graph's edges as positions in ``nodes``, and their weights."""
    tensors = []
    for graph in graphs:
        position = nodes.get_indexer(graph.nodes)
        edges = np.stack([position[graph.source], position[graph.target]]).astype(np.int64)
        tensors.append(GraphTensors(torch.from_numpy(edges), torch.tensor(graph.weight)))
    return tensors


def warn_of_isolated(
    targets: Sequence[str], graphs: Sequence[GraphTensors], nodes: pd.Index
) -> None:
    """Warn of targets that no graph can say anything about."""
    connected = {int(node) for graph in graphs for node in graph.edges[1].unique()}
    lonely = [
        t
        for t, i in zip(targets, nodes.get_indexer(pd.Index(targets)), strict=True)
        if int(i) not in connected
    ]
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


def _check_overlap(graph: KnowledgeGraph, targets: Sequence[str]) -> None:
    if targets and not graph.nodes.isin(list(targets)).any():
        raise ValueError(
            f"Graph {graph.name!r} holds none of the {len(targets)} perturbed genes: its nodes "
            f"are like {', '.join(graph.nodes[:3])}, the targets like {', '.join(targets[:3])}. "
            "Both must use the same gene symbols."
        )
