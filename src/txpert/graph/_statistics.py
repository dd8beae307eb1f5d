"""Numbers that describe the edges of a graph."""

from __future__ import annotations

import numpy as np

from ._arrays import EdgeArrays


def summarize(edges: EdgeArrays, n_nodes: int) -> dict[str, float]:
    """Return the entries of :meth:`KnowledgeGraph.summary`."""
    incoming, outgoing = edges.degrees(n_nodes)
    n_edges, pairs = len(edges.source), n_nodes * (n_nodes - 1)
    forth = edges.source * n_nodes + edges.target
    back = edges.target * n_nodes + edges.source
    values: dict[str, float] = {
        "n_nodes": n_nodes,
        "n_isolated": int(((incoming + outgoing) == 0).sum()),
        "n_edges": n_edges,
        "density": n_edges / pairs if pairs else np.nan,
        "reciprocity": float(np.isin(back, forth).mean()) if n_edges else np.nan,
    }
    for name, numbers in (
        ("in_degree", incoming),
        ("out_degree", outgoing),
        ("weight", edges.weight),
    ):
        some = len(numbers) > 0
        values[f"{name}_mean"] = float(np.mean(numbers)) if some else np.nan
        values[f"{name}_median"] = float(np.median(numbers)) if some else np.nan
        values[f"{name}_max"] = float(np.max(numbers)) if some else np.nan
    return values
