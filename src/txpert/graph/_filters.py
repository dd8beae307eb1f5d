"""Filters of knowledge graphs: methods of the class, each returning a new graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import numpy as np

from ._arrays import EdgeArrays
from ._names import match_names

if TYPE_CHECKING:
    from ._knowledge_graph import KnowledgeGraph


def top_k(graph: KnowledgeGraph, k: int = 20) -> KnowledgeGraph:
    """Keep the ``k`` heaviest incoming edges of every target (paper: ``k = 20``).

    Of edges that weigh the same, those whose source stands first in ``nodes`` are kept.
    """
    return graph.derive(graph.arrays.top_k(k), f"top_k(k={k})")


def top_fraction(graph: KnowledgeGraph, fraction: float) -> KnowledgeGraph:
    """Keep this share of all edges, the heaviest; the number is rounded.

    Of edges that weigh the same, those first in ``edges`` are kept.
    """
    number = round(check_fraction(fraction) * graph.n_edges)
    heaviest = np.argsort(-graph.weight, kind="stable")[:number]
    return graph.derive(graph.arrays.take(heaviest), f"top_fraction(fraction={fraction})")


def threshold(graph: KnowledgeGraph, minimum: float) -> KnowledgeGraph:
    """Keep the edges that weigh at least ``minimum``."""
    heavy = graph.weight >= np.float32(minimum)
    return graph.derive(graph.arrays.take(heavy), f"threshold(minimum={minimum})")


def restrict(graph: KnowledgeGraph, genes: Iterable[str]) -> KnowledgeGraph:
    """Keep the nodes that are among ``genes``, by exact name, and the edges between them."""
    wanted = list(genes)
    keep = graph.nodes.isin(wanted)
    position = np.cumsum(keep) - 1
    edges = graph.arrays.take(keep[graph.source] & keep[graph.target])
    edges = EdgeArrays(position[edges.source], position[edges.target], edges.weight)
    return graph.derive(edges, f"restrict({len(wanted)} genes)", nodes=graph.nodes[keep])


def match(graph: KnowledgeGraph, genes: Iterable[str]) -> KnowledgeGraph:
    """Restrict to ``genes``, whatever either side calls them, and take over their names.

    A gene whose name is not a node is looked up by :func:`~txpert.graph.map_genes`: the symbols of
    an old graph meet those of a new screen, and the other way round.

    Raises
    ------
    ValueError
        If none of the genes is in the graph.
    """
    found = match_names(graph.nodes, genes)
    position = np.full(graph.n_nodes, -1)
    position[found.to_numpy()] = np.arange(len(found))
    edges = EdgeArrays(position[graph.source], position[graph.target], graph.weight)
    edges = edges.take((edges.source >= 0) & (edges.target >= 0))
    return graph.derive(edges, f"match({len(found)} genes found)", nodes=found.index)


def reverse(graph: KnowledgeGraph) -> KnowledgeGraph:
    """Turn every edge round."""
    return graph.derive(EdgeArrays(graph.target, graph.source, graph.weight), "reverse()")


def normalize(
    graph: KnowledgeGraph, how: Literal["max", "target", "symmetric"] = "max"
) -> KnowledgeGraph:
    """Rescale the weights.

    Parameters
    ----------
    how
        "max": the heaviest edge weighs 1. "target": the edges into each target sum to 1.
        "symmetric": wᵢⱼ / √(outᵢ · inⱼ), with the summed weights out of the source and into the
        target, as in a graph convolution. Edges that weigh nothing stay so.
    """
    weight = graph.weight.astype(np.float64)
    incoming = np.bincount(graph.target, weight, minlength=graph.n_nodes)[graph.target]
    outgoing = np.bincount(graph.source, weight, minlength=graph.n_nodes)[graph.source]
    scales = {
        "max": np.full_like(weight, weight.max(initial=0)),
        "target": incoming,
        "symmetric": np.sqrt(outgoing * incoming),
    }
    if how not in scales:
        raise ValueError(f"how must be 'max', 'target' or 'symmetric', not {how!r}.")
    scale = scales[how]
    scaled = np.divide(weight, scale, out=np.zeros_like(weight), where=scale > 0)
    edges = EdgeArrays(graph.source, graph.target, scaled.astype(np.float32))
    return graph.derive(edges, f"normalize(how={how!r})")


def check_fraction(fraction: float) -> float:
    """Return the fraction if it is one."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction must lie between 0 and 1, not be {fraction}.")
    return fraction
