"""The graph that made a simulated screen, and noisy copies of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert.graph import KnowledgeGraph

from ._truth import read_truth


def simulated_graph(
    adata: AnnData, *, missing: float = 0.0, wrong: float = 0.0, seed: int = 0
) -> KnowledgeGraph:
    """Return the graph that made a simulated screen, or a noisy copy to hand to a model.

    Parameters
    ----------
    adata
        A screen by :func:`simulate`.
    missing, wrong, seed
        See :func:`noisy_graph`; by default the true graph.

    Raises
    ------
    KeyError
        If the data hold no truth.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.datasets.simulated_graph(tx.datasets.toy(), missing=0.3, wrong=0.3)
    KnowledgeGraph 'simulated': 60 nodes, 287 edges
    """
    stored = read_truth(adata)
    nodes, edges = pd.Index(stored["essentiality"]["gene"].astype(str)), stored["graph"]
    source, target = (nodes.get_indexer(edges[end].astype(str)) for end in ("source", "target"))
    graph = KnowledgeGraph("simulated", nodes, source, target, edges["weight"].to_numpy())
    return noisy_graph(graph, missing=missing, wrong=wrong, seed=seed)


def noisy_graph(
    graph: KnowledgeGraph, *, missing: float = 0.3, wrong: float = 0.3, seed: int = 0
) -> KnowledgeGraph:
    """Return a copy with edges missing and wrong edges added, as databases have them.

    Parameters
    ----------
    graph
        The true graph.
    missing
        Fraction of its edges that the copy lacks.
    wrong
        Number of edges of the copy that the graph does not have, as a fraction of its edges. So
        equal fractions keep the number of edges, and a fraction of ``wrong`` of them is wrong.
    seed
        Seed of the draw.

    Raises
    ------
    ValueError
        If a fraction is not between 0 and 1, or the graph is too dense for so many wrong edges.

    Examples
    --------
    >>> import txpert as tx
    >>> graph = tx.datasets.toy_graph()
    >>> copy = noisy_graph(graph, missing=0.5, wrong=0.1)
    >>> graph.n_edges, copy.n_edges
    (287, 172)
    """
    for name, value in (("missing", missing), ("wrong", wrong)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, not be {value}.")
    kept = graph.drop(missing, seed=seed)
    rewired = graph.rewire(wrong, seed=seed + 1)
    code, true = (g.source * g.n_nodes + g.target for g in (rewired, graph))
    added = rewired.arrays.take(~np.isin(code, true))
    return KnowledgeGraph(
        graph.name,
        graph.nodes,
        np.concatenate([kept.source, added.source]),
        np.concatenate([kept.target, added.target]),
        np.concatenate([kept.weight, added.weight]),
        [*graph.provenance, f"noisy_graph(missing={missing}, wrong={wrong}, seed={seed})"],
    )
