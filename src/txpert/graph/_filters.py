"""Arithmetic of the filters of :class:`KnowledgeGraph`."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from txpert._options import check_number
from txpert._refined import refine_adjacency

from ._arrays import EdgeArrays


def heaviest(edges: EdgeArrays, fraction: float) -> EdgeArrays:
    """Return a fraction of the edges, the heaviest; of ties, the first."""
    number = round(check_fraction(fraction) * len(edges.weight))
    return edges.take(np.argsort(-edges.weight, kind="stable")[:number])


def normalized(edges: EdgeArrays, n_nodes: int, how: str) -> EdgeArrays:
    """Return the edges with weights rescaled; see :meth:`KnowledgeGraph.normalize`."""
    weight = edges.weight.astype(np.float64)
    incoming = np.bincount(edges.target, weight, minlength=n_nodes)[edges.target]
    outgoing = np.bincount(edges.source, weight, minlength=n_nodes)[edges.source]
    scales = {
        "max": np.full_like(weight, weight.max(initial=0)),
        "target": incoming,
        "symmetric": np.sqrt(outgoing * incoming),
    }
    if how not in scales:
        raise ValueError(f"how must be 'max', 'target' or 'symmetric', not {how!r}.")
    scale = scales[how]
    scaled = np.divide(weight, scale, out=np.zeros_like(weight), where=scale > 0)
    return edges._replace(weight=scaled.astype(np.float32))


def refined(edges: EdgeArrays, n_nodes: int) -> EdgeArrays:
    """Return refined edges; see :meth:`KnowledgeGraph.refine`."""
    ones = np.ones(len(edges.source), dtype=np.float32)
    given = sparse.csr_array((ones, (edges.target, edges.source)), shape=(n_nodes, n_nodes))
    found = refine_adjacency(given).tocoo()
    target, source = found.coords
    return EdgeArrays(source, target, found.data)


def check_fraction(fraction: float, name: str = "fraction") -> float:
    """Return the fraction if it is one."""
    check_number(name, fraction, least=0, most=1)
    return fraction
