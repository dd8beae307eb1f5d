import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from txpert.graph import KnowledgeGraph, go


def random_graph(n, m, seed=0):
    rng = np.random.default_rng(seed)
    code = rng.choice(n * n, size=m, replace=False)
    names = [f"G{i}" for i in range(n)]
    return KnowledgeGraph("random", names, code // n, code % n, rng.random(m))


def codes(graph):
    return set((graph.source * graph.n_nodes + graph.target).tolist())


@given(st.integers(0, 100), st.floats(0, 1), st.sampled_from(["source", "target", "both"]))
def test_rewiring_is_exact_and_keeps_what_it_should(seed, fraction, which):
    graph = random_graph(60, 150, seed)
    rewired = graph.rewire(fraction, which=which, seed=seed)
    assert rewired.n_edges == graph.n_edges
    assert len(codes(rewired) - codes(graph)) == round(fraction * graph.n_edges)
    assert np.all(rewired.source != rewired.target)
    np.testing.assert_array_equal(np.sort(rewired.weight), np.sort(graph.weight))
    if which == "source":
        np.testing.assert_array_equal(rewired.target, graph.target)
    if which == "target":
        np.testing.assert_array_equal(np.sort(rewired.source), np.sort(graph.source))


def test_rewiring_both_ends_breaks_degrees_and_depends_on_the_seed():
    graph = random_graph(200, 2000)
    rewired = graph.rewire(1.0, seed=1)
    assert not np.array_equal(np.bincount(rewired.target), np.bincount(graph.target))
    assert rewired == graph.rewire(1.0, seed=1)
    assert rewired != graph.rewire(1.0, seed=2)


def test_rewiring_a_real_graph_keeps_in_degrees_of_20():
    graph = go([f"RPL{i}" for i in range(1, 40)] + [f"PSMA{i}" for i in range(1, 8)], k=5)
    assert (np.bincount(graph.rewire(1.0, which="source").target) == 5).all()


@pytest.mark.parametrize("which", ["source", "target", "both"])
def test_a_complete_graph_cannot_be_rewired(which):
    n = 5
    source, target = np.nonzero(~np.eye(n, dtype=bool))
    graph = KnowledgeGraph("full", list("ABCDE"), source, target, np.ones(len(source)))
    with pytest.raises(ValueError, match="'full' is too dense"):
        graph.rewire(0.5, which=which)


def test_a_nearly_complete_graph_is_rewired_to_the_last_free_edge():
    n = 6
    source, target = np.nonzero(~np.eye(n, dtype=bool))
    graph = KnowledgeGraph("g", list("ABCDEF"), source[:-1], target[:-1], np.ones(len(source) - 1))
    rewired = graph.rewire(1 / graph.n_edges, which="both")
    assert codes(rewired) - codes(graph) == {int(source[-1] * n + target[-1])}


def test_which_is_checked():
    with pytest.raises(ValueError, match="'source', 'target' or 'both'"):
        random_graph(5, 5).rewire(0.5, which="all")


@given(st.integers(0, 100), st.floats(0, 1))
def test_dropping_is_exact_and_keeps_nodes(seed, fraction):
    graph = random_graph(60, 150, seed)
    dropped = graph.drop(fraction, seed=seed)
    assert dropped.n_edges == graph.n_edges - round(fraction * graph.n_edges)
    assert codes(dropped) <= codes(graph)
    assert dropped.nodes.equals(graph.nodes)


def test_a_graph_without_edges_survives_ablation():
    empty = KnowledgeGraph("g", ["A", "B"], [], [], [])
    assert empty.rewire(1.0).n_edges == empty.drop(1.0).n_edges == 0
