from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from txpert.graph import KnowledgeGraph, spectral_embedding
from txpert.nn import Nodes

LEARNED, SPECTRAL = "learned", "spectral"
NodeInput = str | pd.DataFrame | Mapping[str, Any]
NodeInputs = NodeInput | Sequence[NodeInput]

_SPECTRAL_COMPONENTS = 64
_FEATURE_SIZE = 0.1
"""Standard deviation of features: about that of learned rows, which larger ones would drown."""


def read_node_inputs(
    node_inputs: NodeInputs | None, graphs: Sequence[KnowledgeGraph]
) -> list[str | dict[str, Any]]:
    """Check what describes the nodes, and bring it into a form that can be saved.

    Parameters
    ----------
    node_inputs
        ``"learned"``, ``"spectral"``, a data frame, or several of them; ``None`` is learned, and
        spectral where graphs have edges.
    graphs
        Graphs that spectral coordinates are computed of.

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
    given: list[NodeInput] = (
        [node_inputs]
        if isinstance(node_inputs, str | pd.DataFrame | Mapping)
        else list(node_inputs)
    )
    if not given:
        raise ValueError("node_inputs is empty; 'learned' gives every gene a row to learn.")
    return [_read(item, graphs) for item in given]


def feature_genes(node_inputs: Sequence[str | Mapping[str, Any]]) -> list[str]:
    """Return the genes that have features."""
    return sorted(
        {gene for item in node_inputs if not isinstance(item, str) for gene in item["genes"]}
    )


def make_nodes(node_inputs: Sequence[str | Mapping[str, Any]], nodes: pd.Index) -> Nodes:
    """Line features up with the nodes: centred, scaled as a whole, 0 where unknown."""
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


def _read(item: NodeInput, graphs: Sequence[KnowledgeGraph]) -> str | dict[str, Any]:
    if isinstance(item, Mapping):
        return dict(item)
    if isinstance(item, pd.DataFrame):
        return _features(item)
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
