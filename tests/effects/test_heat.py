"""The diagonal of the heat kernel."""

import numpy as np
import pytest
from scipy.linalg import expm

from txpert.effects import _heat
from txpert.effects._heat import HeatKernel
from txpert.graph import KnowledgeGraph, go

TIMES = (2.0, 8.0)


@pytest.fixture(scope="module")
def graph():
    genes = np.random.default_rng(0).choice(go().nodes, 150, replace=False)
    return go(genes)


def test_the_diagonal_of_a_small_graph_is_exact(graph):
    heat = HeatKernel(graph, TIMES)
    step = heat._adjacency.toarray() - np.eye(len(heat.nodes))
    expected = [np.diagonal(expm(time * step)) for time in TIMES]
    np.testing.assert_allclose(heat.diagonal(), expected, atol=1e-5)


def test_order_and_names_of_nodes_do_not_matter(graph):
    order = np.random.default_rng(1).permutation(graph.n_nodes)
    place = np.argsort(order)
    names = [f"n{i}" for i in order]
    edges = (place[graph.source], place[graph.target], graph.weight)
    one, other = HeatKernel(graph, TIMES), HeatKernel(KnowledgeGraph("g", names, *edges), TIMES)
    back = other.nodes.get_indexer([f"n{i}" for i in graph.nodes.get_indexer(one.nodes)])
    np.testing.assert_allclose(one.diagonal(), other.diagonal()[:, back], atol=1e-5)


def test_the_diagonal_of_a_large_graph_is_estimated(graph, monkeypatch):
    heat = HeatKernel(graph, TIMES)
    exact = heat.diagonal()
    monkeypatch.setattr(_heat, "_EXACT", 0)
    assert 0 < np.abs(heat.diagonal() / exact - 1).max() < 0.4


def test_a_graph_without_edges_has_no_diagonal():
    assert HeatKernel(KnowledgeGraph("g", ["A"], [], [], []), TIMES).diagonal().shape == (2, 0)
