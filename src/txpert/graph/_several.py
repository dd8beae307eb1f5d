"""Graphs as users give them: listed, named, on shared nodes, with the names of a screen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ._arrays import EdgeArrays
from ._knowledge_graph import KnowledgeGraph
from ._names import other_names

Graphs = KnowledgeGraph | Sequence[KnowledgeGraph | Mapping[str, Any]]


def as_graphs(graphs: Graphs) -> list[KnowledgeGraph]:
    """Return one graph or several as a list.

    Parameters
    ----------
    graphs
        A graph, or graphs and dictionaries that :meth:`KnowledgeGraph.to_dict` returned.

    Raises
    ------
    TypeError
        If something is no graph.
    """
    given = graphs if isinstance(graphs, Iterable) else [graphs]
    found = [KnowledgeGraph.from_dict(g) if isinstance(g, Mapping) else g for g in given]
    for graph in found:
        if not isinstance(graph, KnowledgeGraph):
            raise TypeError(f"graphs takes tx.graph.KnowledgeGraph objects, not {type(graph)}.")
    return found


def named(graphs: Graphs) -> dict[str, KnowledgeGraph]:
    """Return the graphs by name.

    Raises
    ------
    ValueError
        If there are none or two share a name.
    """
    graphs = as_graphs(graphs)
    by_name = {graph.name: graph for graph in graphs}
    if not by_name:
        raise ValueError("Give at least one graph.")
    if len(by_name) < len(graphs):
        raise ValueError(
            f"Graphs need names of their own, not {[graph.name for graph in graphs]}; "
            "set name= where they are built."
        )
    return by_name


def named_for(
    graphs: Sequence[KnowledgeGraph], genes: Collection[str]
) -> tuple[list[KnowledgeGraph], dict[str, str]]:
    """Name nodes as a screen does, where a graph has the symbols of another year.

    Parameters
    ----------
    graphs
        Graphs.
    genes
        Genes of the screen, such as its targets.

    Returns
    -------
    The graphs, and the names that nodes had by gene (:func:`txpert.graph._names.other_names`).
    """
    found: dict[str, str] = {}
    renamed = []
    for graph in graphs:
        names = other_names(graph.nodes, genes)
        found |= names
        back = {node: gene for gene, node in names.items()}
        renamed.append(graph.rename(back) if back else graph)
    return renamed, found


def share_nodes(graphs: Sequence[KnowledgeGraph]) -> list[KnowledgeGraph]:
    """Give all graphs the same nodes: the genes of any of them, sorted.

    Genes that a graph lacks become isolated nodes of it.
    """
    nodes = vocabulary(graphs)
    return [
        graph.derive(edges_among(nodes, graph), f"share_nodes({len(nodes)} nodes)", nodes=nodes)
        for graph in graphs
    ]


def vocabulary(graphs: Sequence[KnowledgeGraph]) -> pd.Index:
    """Return the genes of any of the graphs, sorted."""
    return pd.Index(sorted({node for graph in graphs for node in graph.nodes}), name="gene")


def edges_among(nodes: pd.Index, graph: KnowledgeGraph) -> EdgeArrays:
    """Return the graph's edges by position in other nodes, which hold all of its own."""
    position = nodes.get_indexer(graph.nodes)
    return EdgeArrays(position[graph.source], position[graph.target], graph.weight)
