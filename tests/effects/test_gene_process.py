import numpy as np
import pandas as pd
import pytest
from scipy.linalg import expm
from scipy.optimize import check_grad
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel

from txpert.effects import Effects
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._variances import _deviance, fit_variances
from txpert.graph import KnowledgeGraph
from txpert.graph._diffusion import Diffusion

ANCHORS = pd.Index([f"P{i}" for i in range(40)], dtype=object)


def diffusion(graph, time):
    weights = np.zeros((graph.n_nodes, graph.n_nodes))
    weights[graph.source, graph.target] = graph.weight
    weights = np.maximum(weights, weights.T)
    root = np.sqrt(weights.sum(axis=0))
    return expm(-time * (np.eye(graph.n_nodes) - weights / np.outer(root, root)))


@pytest.fixture
def kernels(random_graph):
    return GeneKernels([random_graph()], {}, ANCHORS)


def test_kernels_are_diffusions_plain_and_scaled(random_graph, kernels):
    graph = random_graph()
    order = [f"P{i}" for i in (3, 1, 30)]
    found = dict(zip(kernels.names, kernels.between(pd.Index(order), ANCHORS[:5]), strict=True))
    position = graph.nodes.get_indexer(order), graph.nodes.get_indexer(ANCHORS[:5])
    for time in (2, 16):
        expected = diffusion(graph, time)
        length = np.sqrt(np.diagonal(expected))
        plain = expected[np.ix_(*position)]
        np.testing.assert_allclose(found[f"random, walks of {time}"], plain, atol=1e-5)
        scaled = (expected / np.outer(length, length))[np.ix_(*position)]
        np.testing.assert_allclose(found[f"random, scaled walks of {time}"], scaled, atol=1e-5)


def test_genes_outside_the_anchors_are_compared_the_same_way(random_graph, monkeypatch):
    graph = random_graph()
    inside = GeneKernels([graph], {}, ANCHORS).between(ANCHORS[30:], ANCHORS[:30])
    monkeypatch.setattr("txpert.graph._diffusion._BLOCK", 3)
    outside = GeneKernels([graph], {}, ANCHORS[:30]).between(ANCHORS[30:], ANCHORS[:30])
    for one, other in zip(inside, outside, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_walks_are_remembered_and_forgotten_without_a_trace(random_graph, monkeypatch):
    graph, anchors = random_graph(), ANCHORS[:10]
    asked = [ANCHORS[[20, 5, 21, 20]], ANCHORS[22:30], ANCHORS[[9, 22, 20]], ANCHORS[30:]]
    anew = [GeneKernels([graph], {}, anchors).between(genes, anchors[2:]) for genes in asked]
    monkeypatch.setattr("txpert.effects._gene_kernels._MOST_KEPT", 9)
    kernels = GeneKernels([graph], {}, anchors)
    walked = []
    original = Diffusion.blocks

    def count(diffusion, start):
        walked.append(len(start))
        return original(diffusion, start)

    monkeypatch.setattr(Diffusion, "blocks", count)
    for genes, expected in zip(asked, anew, strict=True):
        for one, other in zip(kernels.between(genes, anchors[2:]), expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
    of_given_graph = walked[::2]
    assert of_given_graph == [8 + 2, 8, 8 + 10]  # the third time all are known


def test_unknown_genes_are_like_no_other(kernels):
    for kernel in kernels.between(pd.Index(["P1", "elsewhere"]), ANCHORS):
        assert kernel[0].any()
        assert not kernel[1].any()


def test_features_are_compared_by_their_inner_product():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), index=ANCHORS)
    found = GeneKernels([], {"mine": frame}, ANCHORS)
    assert found.names == ["mine"]
    centred = frame - frame.mean()
    np.testing.assert_allclose(found.between(ANCHORS, ANCHORS)[0], centred @ centred.T, atol=1e-5)


def effects_of(y, cells, labels=ANCHORS):
    return Effects(pd.Index(labels), y.astype(np.float32), np.asarray(cells))


def drawn(graph, signal, n_genes=200, seed=0):
    """Effects that are smooth over a graph, with noise of variance 1."""
    rng = np.random.default_rng(seed)
    kernel = diffusion(graph, 4.0)[np.ix_(*[graph.nodes.get_indexer(ANCHORS)] * 2)]
    kernel /= np.diagonal(kernel).mean()
    smooth = np.linalg.cholesky(kernel + 1e-9 * np.eye(40)) @ rng.normal(size=(40, n_genes))
    return np.sqrt(signal) * smooth, rng.normal(size=smooth.shape)


def test_the_gradient(random_graph):
    rng = np.random.default_rng(0)
    y, root = rng.normal(size=(8, 5)), rng.normal(size=(8, 8))
    covariance, trend = root @ root.T + np.eye(8), rng.integers(1, 3, 8).astype(float)

    def at(step):
        return covariance + step[0] * np.eye(8) + step[1] * np.ones((8, 8))

    def value(step):
        return _deviance(at(step), trend, y @ y.T)[0]

    def gradient(step):
        by_covariance = _deviance(at(step), trend, y @ y.T)[1]
        return np.array([np.trace(by_covariance), by_covariance.sum()])

    assert check_grad(value, gradient, np.array([0.3, 0.2])) < 1e-4


def test_the_stronger_the_signal_the_less_is_shrunk(random_graph):
    graph = random_graph()
    kernels = GeneKernels([graph], {}, ANCHORS)
    total, explained = [], []
    for signal in (0.1, 1.0, 10.0):
        smooth, noise = drawn(graph, signal)
        effects = effects_of(smooth + noise + 3, np.full(40, 50))
        process = GeneGaussianProcess.fit(effects, kernels)
        total.append(process.variances.sum())
        explained.append(process.explained)
    assert total[0] < 1 < total[1] < 8 < total[2]
    assert explained[0] < 0.3 < 0.5 < explained[1] < 0.8 < 0.9 < explained[2] < 1


def test_the_graph_that_made_the_effects_is_trusted_and_a_random_one_is_not(random_graph):
    graph, other = random_graph(), random_graph(seed=5)
    other = KnowledgeGraph("other", other.nodes, other.source, other.target, other.weight)
    smooth, noise = drawn(graph, 3.0)
    process = GeneGaussianProcess.fit(
        effects_of(smooth + noise, np.full(40, 50)), GeneKernels([graph, other], {}, ANCHORS)
    )
    of = process.variances.groupby(process.variances.index.str.split(",").str[0]).sum()
    assert of["random"] > 5 * of["other"]


def test_noise_alone_is_shrunk_away(random_graph):
    _, noise = drawn(random_graph(), 1.0)
    kernels = GeneKernels([random_graph()], {}, ANCHORS[:30])
    effects = effects_of(noise[:30], np.full(30, 50), ANCHORS[:30])
    process = GeneGaussianProcess.fit(effects, kernels)
    predicted = process.effects(ANCHORS[30:], kernels)
    assert ((predicted - noise[:30].mean(axis=0)) ** 2).mean() < 0.05


def test_the_posterior_mean_of_scikit_learn(random_graph, kernels):
    rng = np.random.default_rng(0)
    labels = [*ANCHORS[:28], "P28+P29"]
    y, cells = rng.normal(size=(29, 8)), rng.integers(5, 200, 29)
    process = GeneGaussianProcess.fit(effects_of(y, cells, labels), kernels)
    members = np.array([[float(gene in label.split("+")) for gene in ANCHORS] for label in labels])
    raw = kernels.between(ANCHORS, ANCHORS)
    shares = process.variances.to_numpy()[:-1] / process.scales
    covariance = sum(v * k for v, k in zip(shares, raw, strict=True)).astype(float)
    covariance += process.variances["own"] * np.eye(40)

    class Given(ConstantKernel):
        def __call__(self, x, y=None, eval_gradient=False):
            y = x if y is None else y
            # A vague prior on the mean effect stands in for one that is estimated.
            return x @ covariance @ y.T + 1e7 * np.outer(x.sum(axis=1), y.sum(axis=1))

        def diag(self, x):
            return np.diagonal(self(x))

    noise = np.median(cells) / cells
    regressor = GaussianProcessRegressor(Given(1.0, "fixed"), alpha=noise, optimizer=None)
    asked = np.eye(40)[[2, 28, 35]]
    expected = regressor.fit(members, y).predict(asked)
    found = process.effects(pd.Index(["P2", "P28", "P35"]), kernels)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    both = process.delta(["P35+P2", "P35", "control"], kernels)
    np.testing.assert_allclose(both[0], found[0] + found[2], atol=1e-5)
    np.testing.assert_allclose(both[1], found[2], atol=1e-6)
    assert not both[2].any()


def test_saved_and_read_back(random_graph, kernels):
    smooth, noise = drawn(random_graph(), 2.0, n_genes=7)
    process = GeneGaussianProcess.fit(effects_of(smooth + noise, np.full(40, 9)), kernels)
    back = GeneGaussianProcess.from_dict(process.to_dict())
    asked = pd.Index(["P3", "elsewhere"])
    np.testing.assert_array_equal(back.effects(asked, kernels), process.effects(asked, kernels))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_very_few_rows(n, kernels):
    y = np.random.default_rng(0).normal(size=(n, 5))
    process = GeneGaussianProcess.fit(effects_of(y, np.full(n, 10), ANCHORS[:n]), kernels)
    assert np.isfinite(process.effects(ANCHORS, kernels)).all()
    elsewhere = process.effects(pd.Index(["elsewhere"]), kernels)
    if n == 1:
        np.testing.assert_allclose(elsewhere, y, rtol=1e-5)


def test_equal_effects_are_no_trouble(kernels):
    process = GeneGaussianProcess.fit(effects_of(np.ones((40, 3)), np.full(40, 10)), kernels)
    np.testing.assert_allclose(process.effects(ANCHORS[:2], kernels), 1, rtol=1e-5)


def test_many_rows_are_thinned(monkeypatch):
    rng = np.random.default_rng(0)
    y, root = rng.normal(size=(30, 4)), rng.normal(size=(30, 3))
    given = [root @ root.T], np.eye(30), np.ones(30), np.ones(30), y
    monkeypatch.setattr("txpert.effects._variances._MAX_ROWS", 10)
    rows = np.linspace(0, 29, 10).astype(int)
    block = np.ix_(rows, rows)
    fewer = fit_variances([given[0][0][block]], np.eye(10), np.ones(10), np.ones(10), y[rows])
    np.testing.assert_allclose(fit_variances(*given), fewer)
