"""What the network knows of genes: graphs, node inputs, and the vocabulary of nodes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from scvi import settings

from txpert._options import check_names
from txpert.data._reading import read_labels
from txpert.graph import KnowledgeGraph, map_genes, spectral_embedding
from txpert.graph._names import other_names
from txpert.nn import GraphTensors, Nodes

LEARNED, SPECTRAL = "learned", "spectral"
NodeInput = str | pd.DataFrame | Mapping[str, Any]
NodeInputs = NodeInput | Sequence[NodeInput]

_SPECTRAL_COMPONENTS = 64
_MOST = 0.5
"""Fraction of names that are gene symbols, from which on all are taken for such."""
_FEATURE_SIZE = 0.1
"""Standard deviation of features: about that of learned rows, which larger ones would drown."""


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


def read_extra_nodes(extra_nodes: Sequence[str] | None) -> list[str] | None:
    """Return further nodes as a list; raise a ValueError if one is no name."""
    if extra_nodes is None:
        return None
    names = check_names("extra_nodes", extra_nodes)
    for name in names:
        if not isinstance(name, str) or not name:
            raise ValueError(f"extra_nodes must be names of genes, not {name!r}.")
    return names


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
            "cells alone, and predictions for unseen ones fall back to the common effect. A graph "
            "made for chosen genes must be asked for the targets too: "
            "tx.graph.go(tx.get.genes(adata)).",
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
                f"{', '.join(genes[:3])}, the targets like {', '.join(targets[:3])}. "
                f"{_remedy(genes, targets, of_graph=holder.startswith('Graph'))}"
            )


def _remedy(genes: Sequence[str], targets: Sequence[str], *, of_graph: bool) -> str:
    """Say what to do about targets none of which is among the genes of a graph or features."""
    if "guide" in read_labels(targets).kinds.values():
        return (
            "The targets look like guides: tx.pp.harmonize_labels(adata) replaces them by their "
            "genes."
        )
    if not (_are_symbols(genes) and _are_symbols(targets)):
        return "Both must use the same gene symbols."
    if of_graph:
        return (
            "These are gene symbols, too: a graph made for chosen genes must be asked for the "
            "targets as well: tx.graph.go(tx.get.genes(adata))."
        )
    return "These are gene symbols, too: add the targets to the features."


def _are_symbols(names: Sequence[str]) -> bool:
    """Whether most names are current or former symbols of human genes."""
    return bool(map_genes(names)["kind"].isin(["symbol", "alias"]).mean() > _MOST)


def read_node_inputs(
    node_inputs: NodeInputs | None,
    graphs: Sequence[KnowledgeGraph],
    targets: Sequence[str] = (),
) -> list[str | dict[str, Any]]:
    """Check what describes the nodes, and bring it into a form that can be saved.

    Parameters
    ----------
    node_inputs
        ``"learned"``, ``"spectral"``, a data frame, or several of them; ``None`` is learned, and
        spectral where graphs have edges.
    graphs
        Graphs that spectral coordinates are computed of.
    targets
        Targets of the screen, whose names are used where features have the symbols of another
        year.

    Returns
    -------
    ``"learned"``, or dictionaries of genes and features.

    Raises
    ------
    ValueError
        If a name is unknown, nothing is given, or features are not finite numbers of distinct
        genes.
    """
    if node_inputs is None:
        node_inputs = [LEARNED, SPECTRAL] if _n_linked(graphs) else LEARNED
    if not isinstance(node_inputs, str | pd.DataFrame | Mapping | Sequence):
        raise ValueError(
            f"node_inputs takes {LEARNED!r}, {SPECTRAL!r}, data frames (genes × features) or a "
            f"list of these, not {node_inputs!r}."
        )
    given: list[NodeInput] = (
        [node_inputs]
        if isinstance(node_inputs, str | pd.DataFrame | Mapping)
        else list(node_inputs)
    )
    if not given:
        raise ValueError("node_inputs is empty; 'learned' gives every gene a row to learn.")
    return [_read(item, graphs, targets) for item in given]


def feature_genes(node_inputs: Sequence[str | Mapping[str, Any]]) -> list[str]:
    """Return the genes that have features."""
    return sorted(
        {gene for item in node_inputs if not isinstance(item, str) for gene in item["genes"]}
    )


def make_nodes(node_inputs: Sequence[str | Mapping[str, Any]], nodes: pd.Index) -> Nodes:
    """Line features up with the nodes: centered, scaled as a whole, 0 where unknown."""
    tables = []
    for item in node_inputs:
        if isinstance(item, str):
            continue
        position = nodes.get_indexer(pd.Index(item["genes"].astype(object)))
        values = item["features"] - item["features"].mean(axis=0)
        table = np.zeros((len(nodes), values.shape[1]), dtype=np.float32)
        table[position] = _FEATURE_SIZE * values / (values.std() or 1.0)
        tables.append(torch.from_numpy(table))
    return Nodes(len(nodes), learned=LEARNED in node_inputs, features=tuple(tables))


def given_features(node_inputs: Sequence[str | Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """Return the tables of features that the user gave, genes × features, by name."""
    tables = [item for item in node_inputs if isinstance(item, Mapping) and "name" not in item]
    return {
        f"features {i}": pd.DataFrame(table["features"], index=table["genes"].astype(object))
        for i, table in enumerate(tables, start=1)
    }


def _read(
    item: NodeInput, graphs: Sequence[KnowledgeGraph], targets: Sequence[str]
) -> str | dict[str, Any]:
    if isinstance(item, Mapping):
        return dict(item)
    if isinstance(item, pd.DataFrame):
        names = other_names(item.index.astype(str), targets)
        return _features(item.rename(index={row: gene for gene, row in names.items()}))
    if isinstance(item, str) and item == LEARNED:
        return item
    if isinstance(item, str) and item == SPECTRAL:
        return _spectral(graphs)
    raise ValueError(
        f"node_inputs takes {LEARNED!r}, {SPECTRAL!r} and data frames (genes × features), "
        f"not {item!r}."
    )


def _spectral(graphs: Sequence[KnowledgeGraph]) -> dict[str, Any]:
    n_linked = _n_linked(graphs)
    if not n_linked:
        raise ValueError("Spectral coordinates need a graph with edges: pass graphs=[...].")
    coordinates = spectral_embedding(graphs, min(_SPECTRAL_COMPONENTS, n_linked))
    return _features(coordinates) | {"name": SPECTRAL}


def _n_linked(graphs: Sequence[KnowledgeGraph]) -> int:
    """Count the genes that have an edge."""
    ends = (graph.nodes[np.union1d(graph.source, graph.target)] for graph in graphs)
    return len(set().union(*ends))


def _features(frame: pd.DataFrame) -> dict[str, Any]:
    genes = frame.index.astype(str)
    if not genes.is_unique:
        raise ValueError(f"The features have gene {genes[genes.duplicated()][0]!r} twice.")
    try:
        values = frame.to_numpy(dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "Features must be numbers, one row per gene (the index holds the symbols)."
        ) from error
    if not values.size:
        raise ValueError(f"The features are empty: {frame.shape[0]} genes × {frame.shape[1]}.")
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise ValueError(
            f"The features of {bad.sum():,} genes are NaN or infinite, {genes[bad][0]!r} among "
            "them. Leave those genes out, features.dropna(), or fill them in."
        )
    return {"genes": genes.to_numpy(dtype=str), "features": values}
