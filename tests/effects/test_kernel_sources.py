"""The kernel of direct links is the nearest one without negative eigenvalues."""

import numpy as np
import pandas as pd
import pytest

from txpert.effects._kernel_sources import Direct
from txpert.graph import KnowledgeGraph

GENES = pd.Index([f"G{i}" for i in range(30)], dtype=object)
ANCHORS, OTHERS = GENES[:20], GENES[20:]


def links(heaviest, n_edges=60):
    """Draw edges up to this weight, and one of weight 1 beyond the anchors."""
    rng = np.random.default_rng(0)
    source, target = rng.integers(30, size=(2, n_edges))
    weight = rng.uniform(0, heaviest, n_edges)
    return KnowledgeGraph("mine", GENES, [28, *source], [29, *target], [1, *weight])


def squared(graph):
    dense = np.zeros((graph.n_nodes, graph.n_nodes))
    dense[graph.target, graph.source] = (graph.weight / graph.weight.max()) ** 2
    dense = np.maximum(dense, dense.T)
    np.fill_diagonal(dense, 1)
    return dense


@pytest.mark.parametrize(("heaviest", "negative"), [(1, True), (0.5, False)])
def test_direct_links_by_all_eigenvalues(heaviest, negative):
    graph = links(heaviest)
    whole = squared(graph)
    values, vectors = np.linalg.eigh(whole[:20, :20])
    assert (values.min() < 0) == negative
    kept = vectors[:, values > 0]
    fixed = (kept * values[values > 0]) @ kept.T
    root = np.sqrt(np.diagonal(fixed))
    direct = Direct(graph, ANCHORS)
    found = np.zeros((1, 20, 20), dtype=np.float32)
    direct.compare(ANCHORS, ANCHORS, found)
    np.testing.assert_allclose(found[0], fixed / np.outer(root, root), atol=1e-6)
    some = ANCHORS[5:9]
    beyond = np.zeros((1, 10, 4), dtype=np.float32)
    direct.compare(OTHERS, some, beyond)
    projected = whole[20:, :20] @ kept @ kept.T / root
    np.testing.assert_allclose(beyond[0], projected[:, 5:9], atol=1e-6)


def test_direct_links_of_genes_that_are_interchangeable():
    """Eigenvalues of exactly 0 are no direction that other genes could be similar along."""
    graph = KnowledgeGraph("mine", ["A", "B", "C"], [0, 2], [1, 0], [1, 1])
    direct = Direct(graph, pd.Index(["A", "B"], dtype=object))
    found = np.zeros((1, 1, 2), dtype=np.float32)
    direct.compare(pd.Index(["C"], dtype=object), direct.anchors, found)
    np.testing.assert_allclose(found[0, 0], [0.5, 0.5], atol=1e-6)
