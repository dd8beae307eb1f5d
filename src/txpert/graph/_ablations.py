"""Arithmetic of the ablations of :class:`KnowledgeGraph`: edges dropped or rewired at random."""

from __future__ import annotations

import numpy as np
import pandas as pd

from txpert._types import IntArray

from ._arrays import EdgeArrays, Positions
from ._filters import check_fraction


def dropped(edges: EdgeArrays, fraction: float, seed: int) -> EdgeArrays:
    """Return the edges without a fraction of them, drawn at random."""
    n_edges = len(edges.source)
    number = round(check_fraction(fraction) * n_edges)
    order = np.random.default_rng(seed).permutation(n_edges)
    return edges.take(order[number:])


def rewired(
    edges: EdgeArrays, nodes: pd.Index, fraction: float, *, which: str, seed: int, name: str
) -> EdgeArrays:
    """Return the edges with a fraction of them rewired; see :meth:`KnowledgeGraph.rewire`."""
    if which not in ("source", "target", "both"):
        raise ValueError(f"which must be 'source', 'target' or 'both', not {which!r}.")
    rng, n_nodes, n_edges = np.random.default_rng(seed), len(nodes), len(edges.source)
    number = round(check_fraction(fraction) * n_edges)
    chosen = np.sort(rng.permutation(n_edges)[:number])
    _check_room(edges, nodes, chosen, which, name)
    source, target = edges.source.copy(), edges.target.copy()
    taken = _code(edges.source, edges.target, n_nodes)
    pending = chosen
    while len(pending):
        if which != "target":
            source[pending] = rng.integers(n_nodes, size=len(pending))
        if which != "source":
            target[pending] = rng.integers(n_nodes, size=len(pending))
        code = _code(source[pending], target[pending], n_nodes)
        good = (source[pending] != target[pending]) & ~np.isin(code, taken)
        first = np.zeros(len(code), dtype=bool)
        first[np.unique(code, return_index=True)[1]] = True
        taken = np.concatenate([taken, code[good & first]])
        pending = pending[~(good & first)]
    return EdgeArrays(source, target, edges.weight)


def _code(source: Positions, target: Positions, n_nodes: int) -> Positions:
    return source * n_nodes + target


def _check_room(
    edges: EdgeArrays, nodes: pd.Index, chosen: IntArray, which: str, name: str
) -> None:
    """Refuse a graph with fewer free edges than rewiring needs, where drawing would never end."""
    n_nodes = len(nodes)
    if which == "both":
        free = n_nodes * (n_nodes - 1) - len(edges.source)
        if len(chosen) > free:
            raise ValueError(
                f"Graph {name!r} is too dense to rewire {len(chosen):,} edges: only {free:,} "
                "pairs of nodes have no edge."
            )
        return
    fixed = edges.target if which == "source" else edges.source
    needed = np.bincount(fixed[chosen], minlength=n_nodes)
    lacking = needed - (n_nodes - 1 - np.bincount(fixed, minlength=n_nodes))
    if len(chosen) and lacking.max() > 0:
        raise ValueError(
            f"Graph {name!r} is too dense to rewire: {nodes[int(lacking.argmax())]!r} has "
            f"{lacking.max():,} edges more than there are nodes left to connect it with; filter "
            "the graph with top_k first."
        )
