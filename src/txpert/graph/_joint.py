"""Several graphs as one, over one vocabulary of nodes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from txpert._types import BoolArray

from ._arrays import EdgeArrays, Positions, Weights, concatenate
from ._knowledge_graph import Graphs, KnowledgeGraph, as_graphs
from ._names import other_names
from ._reports import named


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


@dataclass(frozen=True)
class GraphUnion:
    """All edges of several graphs, each once, with the graphs it comes from.

    Attributes
    ----------
    nodes
        Genes of any of the graphs, sorted.
    names
        Names of the graphs.
    source, target
        Positions in ``nodes``, shape ``(n_edges,)``, sorted by target.
    member
        Whether an edge is in a graph (multi-hot), shape ``(n_edges, n_graphs)``.
    weight
        Its weight in each graph, 0 where it is absent, shape ``(n_edges, n_graphs)``.
    learned_from
        Conditions of a screen that any of the graphs was learned from.
    """

    nodes: pd.Index
    names: tuple[str, ...]
    source: Positions
    target: Positions
    member: BoolArray
    weight: Weights
    learned_from: tuple[str, ...] = ()

    def to_graph(
        self, name: str = "union", *, weight: Literal["max", "mean", "count"] = "max"
    ) -> KnowledgeGraph:
        """Merge into one graph.

        Parameters
        ----------
        name
            Name of the graph.
        weight
            The heaviest of an edge's weights ("max"), their "mean" over all graphs, absent ones
            counting 0, or the number of graphs that hold the edge ("count"). Normalize graphs
            whose weights differ in scale first.
        """
        merged = {
            "max": self.weight.max(axis=1),
            "mean": self.weight.mean(axis=1),
            "count": self.member.sum(axis=1),
        }
        if weight not in merged:
            raise ValueError(f"weight must be 'max', 'mean' or 'count', not {weight!r}.")
        step = f"union({', '.join(self.names)}; weight={weight!r})"
        edges = (self.source, self.target, merged[weight])
        return KnowledgeGraph(name, self.nodes, *edges, [step], self.learned_from)


def share_nodes(graphs: Sequence[KnowledgeGraph]) -> list[KnowledgeGraph]:
    """Give all graphs the same nodes: the genes of any of them, sorted.

    Genes that a graph lacks become isolated nodes of it.
    """
    nodes = _vocabulary(graphs)
    return [
        graph.derive(_moved(graph, nodes), f"share_nodes({len(nodes)} nodes)", nodes=nodes)
        for graph in graphs
    ]


def union(graphs: Graphs) -> GraphUnion:
    """Take the union of the edges of graphs, with the graphs that each is from.

    Raises
    ------
    ValueError
        If there are no graphs or two share a name.

    Examples
    --------
    >>> import txpert as tx
    >>> graph = tx.datasets.toy_graph()
    >>> half = tx.graph.KnowledgeGraph.from_edges(graph.edges[::2], name="half")
    >>> len(tx.graph.union([graph, half]).nodes)
    60
    """
    graphs = as_graphs(graphs)
    names, nodes = tuple(named(graphs)), _vocabulary(graphs)
    moved = [_moved(graph, nodes) for graph in graphs]
    edges = concatenate(moved)
    origin = np.repeat(np.arange(len(graphs)), [graph.n_edges for graph in graphs])
    code, row = np.unique(edges.target * len(nodes) + edges.source, return_inverse=True)
    member = np.zeros((len(code), len(graphs)), dtype=bool)
    weight = np.zeros((len(code), len(graphs)), dtype=np.float32)
    member[row, origin], weight[row, origin] = True, edges.weight
    target, source = np.divmod(code, max(len(nodes), 1))
    learned_from = sorted({seen for graph in graphs for seen in graph.learned_from})
    return GraphUnion(nodes, names, source, target, member, weight, tuple(learned_from))


def _vocabulary(graphs: Sequence[KnowledgeGraph]) -> pd.Index:
    return pd.Index(sorted({node for graph in graphs for node in graph.nodes}), name="gene")


def _moved(graph: KnowledgeGraph, nodes: pd.Index) -> EdgeArrays:
    """Return the graph's edges by position in another vocabulary."""
    position = nodes.get_indexer(graph.nodes)
    return EdgeArrays(position[graph.source], position[graph.target], graph.weight)
