import numpy as np
import pandas as pd
import pytest

from txpert.graph import KnowledgeGraph, _spectral, spectral_embedding


def random_graph(n, seed=0, name="random"):
    """Draw five incoming edges per node, most of them from the node's module of ten."""
    rng = np.random.default_rng(seed)
    target = np.repeat(np.arange(n), 5)
    near = target // 10 * 10 + rng.integers(10, size=5 * n)
    source = np.where(rng.random(5 * n) < 0.8, near, rng.integers(n, size=5 * n)) % n
    return KnowledgeGraph(name, [f"G{i}" for i in range(n)], source, target, rng.random(5 * n))


def by_definition(graphs, genes):
    """Return the sum's eigenvalues, falling, and the matrix, entry by entry."""
    total = pd.DataFrame(0.0, genes, genes)
    for graph in graphs:
        weights = pd.DataFrame(0.0, genes, genes)
        for source, target, weight in graph.edges.itertuples(index=False):
            for pair in ((source, target), (target, source)):
                weights.loc[pair] = max(weights.loc[pair], weight)
        degree = weights.sum(axis=1)
        for one in genes:
            for other in genes:
                if weights.loc[one, other]:
                    share = weights.loc[one, other] / np.sqrt(degree[one] * degree[other])
                    total.loc[one, other] += share / len(graphs)
    return np.linalg.eigvalsh(total.to_numpy())[::-1], total.to_numpy()


def test_a_path_by_hand():
    graph = KnowledgeGraph("path", ["A", "B", "C", "alone"], [0, 1], [1, 2], [3.0, 3.0])
    embedding = spectral_embedding(graph, n_components=3)
    root = np.sqrt(0.5)
    # S has the eigenvalues 1, 0 and −1; the column of 0 vanishes.
    expected = np.array([[0.5, 0, -0.5], [root, 0, root], [0.5, 0, -0.5]])
    np.testing.assert_allclose(embedding, expected, atol=1e-12)
    assert embedding.index.tolist() == ["A", "B", "C"]


def test_weights_count_and_directions_do_not():
    one = KnowledgeGraph("g", list("ABC"), [0, 1], [1, 2], [4.0, 1.0])
    two = KnowledgeGraph("g", list("ABC"), [1, 1, 2], [0, 2, 1], [4.0, 1.0, 0.5])
    pd.testing.assert_frame_equal(spectral_embedding(one, 2), spectral_embedding(two, 2))
    # The first eigenvector is the root of the degrees 4, 5 and 1.
    np.testing.assert_allclose(spectral_embedding(one, 1)[0], np.sqrt([0.4, 0.5, 0.1]))


def test_several_graphs_are_averaged_whatever_their_scale():
    one, two = random_graph(20, 0, "one"), random_graph(25, 1, "two")
    scaled = KnowledgeGraph("scaled", two.nodes, two.source, two.target, 1000 * two.weight)
    genes = sorted({*one.nodes, *two.nodes})
    values, matrix = by_definition([one, two], genes)
    embedding = spectral_embedding([one, scaled], n_components=6)
    assert embedding.index.tolist() == genes
    lengths = np.linalg.norm(embedding, axis=0)
    np.testing.assert_allclose(lengths, values[:6], rtol=1e-6)
    np.testing.assert_allclose(matrix @ embedding, embedding * lengths, atol=1e-6)
    np.testing.assert_allclose(spectral_embedding([one, two], 6), embedding, atol=1e-5)


@pytest.mark.parametrize("graph", [random_graph(1_500), random_graph(1_500).threshold(0.7)])
def test_iteration_finds_what_all_eigenvalues_say(graph, monkeypatch):
    found = spectral_embedding(graph, n_components=20)
    monkeypatch.setattr("txpert.graph._spectral._DENSE_NODES", 10_000)
    exact = spectral_embedding(graph, n_components=20)
    np.testing.assert_allclose(found, exact, atol=1e-6)


def test_each_part_has_its_own_components():
    # Two triangles and a pair: each part has the eigenvalue 1, the triangles −1/2 twice.
    sources, targets = [0, 1, 2, 3, 4, 5, 6], [1, 2, 0, 4, 5, 3, 7]
    graph = KnowledgeGraph("parts", list("ABCDEFGH"), sources, targets, np.ones(7))
    embedding = spectral_embedding(graph, n_components=3)
    expected = np.zeros((8, 3))
    expected[:3, 0] = expected[3:6, 1] = np.sqrt(1 / 3)
    expected[6:, 2] = np.sqrt(1 / 2)
    np.testing.assert_allclose(embedding, expected, atol=1e-12)
    lengths = np.linalg.norm(spectral_embedding(graph, n_components=8), axis=0)
    np.testing.assert_allclose(lengths, [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 1], atol=1e-12)


def test_the_same_every_time():
    graph = random_graph(1_200)
    first, again = (spectral_embedding(graph, 10, seed=seed) for seed in (0, 0))
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    other = spectral_embedding(graph, 10, seed=1)
    np.testing.assert_allclose(other, first, atol=1e-6)
    largest = first.to_numpy()[first.abs().to_numpy().argmax(axis=0), np.arange(10)]
    assert (largest > 0).all()


def test_neighbors_lie_close():
    embedding = spectral_embedding(random_graph(100), 16).to_numpy()
    unit = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    likeness = (unit @ unit.T).reshape(10, 10, 10, 10).mean(axis=(1, 3))
    within = np.diag(likeness).mean()
    between = likeness[~np.eye(10, dtype=bool)].mean()
    assert within > between + 0.3


@pytest.mark.parametrize("number", [0, 4])
def test_more_components_than_genes(number):
    graph = KnowledgeGraph("path", list("ABCD"), [0, 1], [1, 2], [1.0, 1.0])
    with pytest.raises(ValueError, match=r"between 1 and 3|at least 1, not 0"):
        spectral_embedding(graph, number)


def test_no_graph():
    with pytest.raises(ValueError, match="at least one graph"):
        spectral_embedding([])


def test_large_embeddings_are_computed_once(tmp_path, monkeypatch):
    monkeypatch.setenv("TXPERT_CACHE", str(tmp_path))
    monkeypatch.setenv("TXPERT_CACHE_GB", "1")
    monkeypatch.setattr(_spectral, "_DENSE_NODES", 100)
    graph = random_graph(200)
    first = spectral_embedding(graph, 8)
    with monkeypatch.context() as patch:
        patch.setattr(_spectral, "_leading", None)
        pd.testing.assert_frame_equal(spectral_embedding(graph, 8), first)
        for other in (
            {"graphs": random_graph(200, seed=1)},
            {"n_components": 9},
            {"seed": 1},
        ):
            with pytest.raises(TypeError, match="not callable"):
                spectral_embedding(**{"graphs": graph, "n_components": 8} | other)
