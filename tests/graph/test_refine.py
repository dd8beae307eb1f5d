import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import cosine_similarity

from txpert.datasets._noisy_graph import noisy_graph
from txpert.graph import KnowledgeGraph, go
from txpert.graph._go import go_genes


@pytest.fixture(scope="module")
def true():
    genes = np.random.default_rng(0).choice(go_genes(), 500, replace=False)
    return go(np.sort(genes))


@pytest.fixture(scope="module")
def noisy(true):
    return noisy_graph(true, missing=0.3, wrong=0.3)


def dense(graph):
    weights = np.zeros((graph.n_nodes, graph.n_nodes))
    weights[graph.target, graph.source] = graph.weight
    return weights


def pairs(names, source, target):
    return KnowledgeGraph("mine", names, source, target, np.ones(len(source)))


@pytest.mark.parametrize(("block", "sampled"), [(7, 2), (10_000, 3), (10_000, 1_000)])
def test_refined_by_hand(noisy, monkeypatch, block, sampled):
    monkeypatch.setattr("txpert._refined._BLOCK", block)
    monkeypatch.setattr("txpert._refined._SAMPLED", sampled)
    given = dense(noisy) > 0
    likeness = cosine_similarity(given + np.eye(len(given)))
    np.fill_diagonal(likeness, 0)
    n_into = given.sum(axis=1)
    k = round(n_into[n_into > 0].mean())
    next_one = -np.sort(-likeness, axis=1)[:, [k]]
    added = likeness > next_one + 1e-6
    expected = likeness * (given + 0.3 * added)
    np.testing.assert_allclose(dense(noisy.refine()), expected, atol=1e-5)


def test_right_edges_get_more_weight_than_wrong_ones_and_missing_ones_are_found(true, noisy):
    refined = dense(noisy.refine())
    right = dense(true)[noisy.target, noisy.source] > 0
    assert roc_auc_score(right, refined[noisy.target, noisy.source]) > 0.85
    added = (refined > 0) & (dense(noisy) == 0)
    missing = (dense(true) > 0) & (dense(noisy) == 0)
    by_chance = missing.mean()
    assert missing[added].mean() > 15 * by_chance
    assert added[missing].mean() > 0.35


def test_weights_given_do_not_matter_and_history_does(noisy):
    shuffled = KnowledgeGraph(
        "go",
        noisy.nodes,
        noisy.source,
        noisy.target,
        np.random.default_rng(0).permutation(noisy.weight),
        learned_from=["K562|A"],
    )
    np.testing.assert_array_equal(shuffled.refine().weight, noisy.refine().weight)
    assert shuffled.refine().learned_from == ("K562|A",)
    assert noisy.refine().provenance == (*noisy.provenance, "refine()")


def test_order_of_the_nodes_does_not_matter(noisy):
    order = np.random.default_rng(1).permutation(noisy.n_nodes)
    place = np.argsort(order)
    other = KnowledgeGraph(
        "go", noisy.nodes[order], place[noisy.source], place[noisy.target], noisy.weight
    )
    np.testing.assert_allclose(
        dense(other.refine()), dense(noisy.refine())[np.ix_(order, order)], atol=1e-6
    )


def test_genes_alike_by_one_hub_are_not_linked_at_random():
    leaves = [f"LEAF{i}" for i in range(30)]
    star = pairs(["HUB", *leaves], np.zeros(30, dtype=int), np.arange(1, 31)).refine()
    assert set(star.nodes[star.source]) == {"HUB"}
    assert star.n_edges == 30


def test_isolated_genes_stay_so_and_no_edges_are_made_of_none():
    graph = pairs(["A", "B", "C", "ALONE"], [0, 0, 1], [1, 2, 2]).refine()
    assert "ALONE" not in set(graph.nodes[graph.source]) | set(graph.nodes[graph.target])
    assert pairs(["A", "B"], [], []).refine().n_edges == 0
