"""Graphs made worse on purpose, to see what a model owes to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from txpert._types import IntArray

from ._arrays import EdgeArrays, Positions
from ._filters import check_fraction

if TYPE_CHECKING:
    from ._knowledge_graph import KnowledgeGraph


def drop(graph: KnowledgeGraph, fraction: float, *, seed: int = 0) -> KnowledgeGraph:
    """Remove exactly ``round(fraction * n_edges)`` edges, drawn at random; all nodes stay."""
    number = round(check_fraction(fraction) * graph.n_edges)
    order = np.random.default_rng(seed).permutation(graph.n_edges)
    step = f"drop(fraction={fraction}, seed={seed})"
    return graph.derive(graph.arrays.take(order[number:]), step)


def rewire(
    graph: KnowledgeGraph,
    fraction: float,
    *,
    which: Literal["source", "target", "both"] = "both",
    seed: int = 0,
) -> KnowledgeGraph:
    """Give exactly ``round(fraction * n_edges)`` edges, drawn at random, new random ends.

    A rewired edge is no edge of the original graph, no self-loop and no repetition, and keeps its
    weight. So the number of edges stays the same and the share rewired is exact.

    Parameters
    ----------
    fraction
        Share of the edges to rewire, from 0 to 1.
    which
        "source": the in-degree of every node stays; "target": the out-degree of every node stays;
        "both": only the number of edges does.
    seed
        Seed of the random draw.

    Raises
    ------
    ValueError
        If the graph is so dense that there are no such edges.
    """
    if which not in ("source", "target", "both"):
        raise ValueError(f"which must be 'source', 'target' or 'both', not {which!r}.")
    rng = np.random.default_rng(seed)
    number = round(check_fraction(fraction) * graph.n_edges)
    chosen = np.sort(rng.permutation(graph.n_edges)[:number])
    _check_room(graph, chosen, which)
    source, target = graph.source.copy(), graph.target.copy()
    taken = _code(graph.source, graph.target, graph.n_nodes)
    pending = chosen
    while len(pending):
        if which != "target":
            source[pending] = rng.integers(graph.n_nodes, size=len(pending))
        if which != "source":
            target[pending] = rng.integers(graph.n_nodes, size=len(pending))
        code = _code(source[pending], target[pending], graph.n_nodes)
        good = (source[pending] != target[pending]) & ~np.isin(code, taken)
        first = np.zeros(len(code), dtype=bool)
        first[np.unique(code, return_index=True)[1]] = True
        taken = np.concatenate([taken, code[good & first]])
        pending = pending[~(good & first)]
    step = f"rewire(fraction={fraction}, which={which!r}, seed={seed})"
    return graph.derive(EdgeArrays(source, target, graph.weight), step)


def _code(source: Positions, target: Positions, n_nodes: int) -> Positions:
    return source * n_nodes + target


def _check_room(graph: KnowledgeGraph, chosen: IntArray, which: str) -> None:
    """Refuse a graph with fewer free edges than rewiring needs, where drawing would never end."""
    if which == "both":
        free = graph.n_nodes * (graph.n_nodes - 1) - graph.n_edges
        if len(chosen) > free:
            raise ValueError(
                f"Graph {graph.name!r} is too dense to rewire {len(chosen):,} edges: only "
                f"{free:,} pairs of nodes are not joined."
            )
        return
    fixed = graph.target if which == "source" else graph.source
    needed = np.bincount(fixed[chosen], minlength=graph.n_nodes)
    lacking = needed - (graph.n_nodes - 1 - np.bincount(fixed, minlength=graph.n_nodes))
    if len(chosen) and lacking.max() > 0:
        node = graph.nodes[int(lacking.argmax())]
        raise ValueError(
            f"Graph {graph.name!r} is too dense to rewire: {node!r} has {lacking.max():,} edges "
            "more than there are free nodes to join it to; filter the graph with top_k first."
        )
