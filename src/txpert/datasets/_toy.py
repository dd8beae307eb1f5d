"""A screen and a graph small enough for examples."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._options import check_seed
from txpert.graph import KnowledgeGraph
from txpert.pp import normalize

from ._simulate import simulate


def toy_graph(seed: int = 0) -> KnowledgeGraph:
    """Return a random graph over the genes of :func:`toy`, five incoming edges each.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.datasets.toy_graph()
    KnowledgeGraph 'toy': 60 nodes, 287 edges
    """
    check_seed(seed)
    rng = np.random.default_rng(seed)
    genes = [f"GENE{i}" for i in range(1, 61)]
    target = np.repeat(genes, 5)
    edges = pd.DataFrame({"source": rng.choice(genes, len(target)), "target": target})
    edges["weight"] = rng.uniform(0.2, 1.0, len(edges))
    return KnowledgeGraph.from_edges(edges, name="toy")


def toy(seed: int = 0) -> AnnData:
    """Return a small log-normalized screen: 360 cells, 60 genes, 12 perturbations, 2 batches.

    For tests and examples; its effects spread over :func:`toy_graph`.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.datasets.toy().obs["perturbation"].nunique()
    13
    """
    adata = simulate(
        n_perturbations=12,
        n_genes=60,
        n_cells=25,
        n_controls=60,
        n_batches=2,
        graph=toy_graph(),
        seed=seed,
    )
    normalize(adata)
    return adata
