"""The union of several graphs: each edge once, with the graphs that it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from txpert._types import BoolArray

from ._arrays import Positions, Weights, concatenate
from ._knowledge_graph import KnowledgeGraph
from ._several import Graphs, as_graphs, edges_among, named, vocabulary


@dataclass(frozen=True)
class GraphUnion:
    """All edges of several graphs, each once, with the graphs it comes from.

    :func:`union` makes it.

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

    Examples
    --------
    >>> import txpert as tx
    >>> graph = tx.datasets.toy_graph()
    >>> half = tx.graph.KnowledgeGraph.from_edges(graph.edges[::2], name="half")
    >>> both = tx.graph.union([graph, half])
    >>> dict(zip(both.names, both.member.sum(axis=0).tolist()))
    {'toy': 287, 'half': 144}
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

        Returns
        -------
        One graph with all of the edges.

        Raises
        ------
        ValueError
            If ``weight`` is none of these.

        Examples
        --------
        >>> import txpert as tx
        >>> graph = tx.datasets.toy_graph()
        >>> half = tx.graph.KnowledgeGraph.from_edges(graph.edges[::2], name="half")
        >>> tx.graph.union([graph, half]).to_graph(weight="count").weight.max().item()
        2.0
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


def union(graphs: Graphs) -> GraphUnion:
    """Take the union of the edges of graphs, with the graphs that each is from.

    Parameters
    ----------
    graphs
        One knowledge graph or several, with names of their own.

    Returns
    -------
    The edges in any of the graphs, each once: ``source`` and ``target``, shape ``(n_edges,)``,
    positions in ``nodes``, which are sorted; ``member`` and ``weight``, shape
    ``(n_edges, n_graphs)``, in which graphs an edge is and what it weighs there, 0 where it is
    absent; the ``names`` of the graphs and what any was ``learned_from``. Its method ``to_graph``
    makes one graph of it, with the "max", "mean" or "count" of weights.

    Raises
    ------
    ValueError
        If there are no graphs or two share a name.
    TypeError
        If something is no graph.

    Examples
    --------
    >>> import txpert as tx
    >>> graph = tx.datasets.toy_graph()
    >>> half = tx.graph.KnowledgeGraph.from_edges(graph.edges[::2], name="half")
    >>> len(tx.graph.union([graph, half]).nodes)
    60
    """
    graphs = as_graphs(graphs)
    names, nodes = tuple(named(graphs)), vocabulary(graphs)
    edges = concatenate([edges_among(nodes, graph) for graph in graphs])
    origin = np.repeat(np.arange(len(graphs)), [graph.n_edges for graph in graphs])
    code, row = np.unique(edges.target * len(nodes) + edges.source, return_inverse=True)
    member = np.zeros((len(code), len(graphs)), dtype=bool)
    weight = np.zeros((len(code), len(graphs)), dtype=np.float32)
    member[row, origin], weight[row, origin] = True, edges.weight
    target, source = np.divmod(code, max(len(nodes), 1))
    learned_from = sorted({seen for graph in graphs for seen in graph.learned_from})
    return GraphUnion(nodes, names, source, target, member, weight, tuple(learned_from))
