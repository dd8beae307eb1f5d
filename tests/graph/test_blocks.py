"""Blocked similarities against brute force."""

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays
from scipy import sparse

from txpert.graph import KnowledgeGraph, _blocks, from_features
from txpert.graph._jaccard import jaccard


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(_blocks, "_BLOCK_ENTRIES", 25)


def brute_jaccard(members):
    sets = [set(np.flatnonzero(row)) for row in members]
    table = np.zeros((len(sets), len(sets)))
    for i, ours in enumerate(sets):
        for j, theirs in enumerate(sets):
            if i != j and ours | theirs:
                table[i, j] = len(ours & theirs) / len(ours | theirs)
    return table


def expected_edges(table, k, threshold=0.0):
    edges = set()
    for target in range(len(table)):
        order = sorted(range(len(table)), key=lambda s: (-table[target, s], s))
        good = [s for s in order if table[target, s] > 0 and table[target, s] >= threshold]
        edges |= {(s, target) for s in good[:k]}
    return edges


memberships = arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 6)))


@given(memberships, st.sampled_from([None, 1, 3, 20]), st.sampled_from([0.0, 0.25, 0.5]))
def test_jaccard_top_k_with_ties(members, k, threshold):
    n = len(members)
    edges = _blocks.top_per_target(jaccard(sparse.csr_array(members)), n, k=k, threshold=threshold)
    table = brute_jaccard(members)
    found = set(zip(edges.source.tolist(), edges.target.tolist(), strict=True))
    assert found == expected_edges(table, k, threshold)
    np.testing.assert_allclose(edges.weight, table[edges.source, edges.target], rtol=1e-6)


@given(memberships.flatmap(lambda m: st.tuples(st.just(m), set_weights(m.shape[1]))))
def test_weighted_jaccard_sums_the_weights_of_sets(drawn):
    members, weights = drawn
    block = jaccard(sparse.csr_array(members), weights)(slice(0, None), slice(0, None))
    shared = (members[:, None] & members[None]) @ weights
    union = (members[:, None] | members[None]) @ weights
    expected = np.divide(shared, union, out=np.zeros_like(union), where=union > 0)
    np.testing.assert_allclose(block, expected, rtol=1e-6)


def set_weights(n):
    return arrays.arrays(float, n, elements=st.integers(1, 1024).map(lambda i: i / 1024))


def brute_similarity(values, metric, sign):
    if metric == "correlation":
        table = np.corrcoef(values)
    else:
        unit = values / np.linalg.norm(values, axis=1, keepdims=True)
        table = unit @ unit.T
    return np.abs(table) if sign == "absolute" else table


@pytest.mark.parametrize("metric", ["cosine", "correlation"])
@pytest.mark.parametrize("sign", ["absolute", "positive"])
@pytest.mark.parametrize("fraction", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_top_fraction_of_all_pairs(metric, sign, fraction, seed):
    n = 30
    values = np.random.default_rng(seed).normal(0.3, 1, (n, 7))
    frame = pd.DataFrame(values, index=[f"G{i}" for i in range(n)])
    graph = from_features(frame, name="f", metric=metric, sign=sign, top_fraction=fraction, k=None)
    table = brute_similarity(values, metric, sign)
    first, second = np.triu_indices(n, k=1)
    strength = table[first, second]
    best = np.argsort(-strength, kind="stable")[: round(fraction * len(strength))]
    best = best[strength[best] > 0]
    expected = set(zip(first[best], second[best], strict=True))
    found = set(zip(graph.source, graph.target, strict=True))
    assert found == expected | {(j, i) for i, j in expected}
    np.testing.assert_allclose(graph.weight, table[graph.source, graph.target], atol=1e-5)


def test_ties_at_the_border_are_cut_to_the_exact_number_first_nodes_first():
    same = pd.DataFrame(np.ones((9, 2)), index=[f"G{i}" for i in range(9)])
    graph = from_features(same, name="f", top_fraction=0.25, k=None)
    upper = graph.source < graph.target
    pairs = sorted(zip(graph.source[upper], graph.target[upper], strict=True))
    assert pairs == [(0, i) for i in range(1, 9)] + [(1, 2)]


@given(
    arrays.arrays(
        np.float32, st.tuples(st.integers(2, 12), st.integers(2, 4)), elements=st.integers(-3, 3)
    ),
    st.floats(0, 1),
)
def test_any_numbers_give_a_graph_with_weights_up_to_one(values, fraction):
    frame = pd.DataFrame(values, index=[f"G{i}" for i in range(len(values))])
    graph = from_features(frame, name="f", metric="correlation", top_fraction=fraction)
    assert isinstance(graph, KnowledgeGraph)
    assert (graph.weight > 0).all()
    assert (graph.weight <= 1).all()
    constant = np.flatnonzero(np.ptp(values, axis=1) == 0)
    assert not np.isin(constant, graph.source).any()
