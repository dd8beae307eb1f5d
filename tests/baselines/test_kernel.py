import numpy as np
import pytest
from scipy.linalg import expm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel

from txpert.baselines import KernelBaseline
from txpert.graph import KnowledgeGraph, spectral_embedding


def diffusion(graph, time):
    """Return the kernel over the nodes from eigenvectors of the normalised adjacency."""
    weights = np.zeros((graph.n_nodes, graph.n_nodes))
    weights[graph.source, graph.target] = graph.weight
    weights = np.maximum(weights, weights.T)
    root = np.sqrt(weights.sum(axis=0))
    return expm(-time * (np.eye(graph.n_nodes) - weights / np.outer(root, root)))


def expected(kernel, seen, asked, weight, order, y, noise):
    """Return the posterior mean of b + f for the genes asked for, written out."""
    scale = np.diag(kernel)[np.any(seen > 0, axis=0)].mean()
    covariance = seen @ kernel @ seen.T / scale + noise * np.diag(1 / weight)
    inverse = np.linalg.inv(covariance)
    mean = (order @ inverse @ y) / (order @ inverse @ order)
    return mean + (asked @ kernel @ seen.T / scale) @ inverse @ (y - np.outer(order, mean))


@pytest.mark.parametrize("time", [0.5, 3.0])
def test_the_posterior_mean(random_table, random_graph, time):
    table, graph = random_table(30), random_graph()
    table.obs["perturbation"] = table.obs["perturbation"].replace({"P7": "P7+P8", "P9": "P2+P33"})
    names = table.obs["perturbation"].iloc[1:]
    nodes = list(graph.nodes)
    seen = np.array([[float(node in name.split("+")) for node in nodes] for name in names])
    asked = np.array([[float(node == name) for node in nodes] for name in ("P33", "P38")])
    cells = table.obs["n_cells"].to_numpy()[1:]
    effects = expected(
        diffusion(graph, time),
        seen,
        asked,
        cells / np.median(cells),
        seen.sum(axis=1),
        np.asarray(table.X[1:] - table.X[0], dtype=float),
        0.4,
    )
    baseline = KernelBaseline(table, graph, time=time, noise=0.4)
    predicted = baseline.predict(["P33", "P38", "P33+P38"]).layers["delta"]
    np.testing.assert_allclose(predicted[:2], effects, atol=1e-4)
    np.testing.assert_allclose(predicted[2], effects.sum(axis=0), atol=1e-4)


def test_the_regressor_of_scikit_learn(random_table, random_graph):
    table, graph = random_table(30), random_graph()
    kernel = diffusion(graph, 3.0)
    kernel /= np.diag(kernel)[:30].mean()
    y = np.asarray(table.X[1:] - table.X[0], dtype=float)
    cells = table.obs["n_cells"].to_numpy()[1:]
    noise = 0.4 * np.median(cells) / cells
    # A vague prior on the mean effect stands in for one that is estimated.
    features = np.linalg.cholesky(kernel + 1e6)

    class Linear(ConstantKernel):
        def __call__(self, x, y=None, eval_gradient=False):
            return x @ (x if y is None else y).T

        def diag(self, x):
            return (x**2).sum(axis=1)

    regressor = GaussianProcessRegressor(Linear(1.0, "fixed"), alpha=noise, optimizer=None)
    effects = regressor.fit(features[:30], y).predict(features[35:37])
    predicted = KernelBaseline(table, graph, noise=0.4).predict(["P35", "P36"]).layers["delta"]
    np.testing.assert_allclose(predicted, effects, atol=1e-3)


def test_what_is_known_stays_and_genes_outside_get_the_mean(random_table, random_graph, delta_of):
    table = random_table(30)
    baseline = KernelBaseline(table, random_graph(), noise=0.4)
    np.testing.assert_allclose(delta_of(baseline, "P3"), table.X[4] - table.X[0], atol=1e-6)
    outside = delta_of(baseline, "elsewhere")
    far = KernelBaseline(table, random_graph(), noise=1e9)
    cells = table.obs["n_cells"].to_numpy()[1:]
    weighted = np.average(table.X[1:] - table.X[0], axis=0, weights=cells)
    np.testing.assert_allclose(delta_of(far, "P35"), weighted, atol=1e-4)
    assert np.abs(outside - delta_of(baseline, "P35")).max() > 1e-3
    added = delta_of(baseline, "P3+elsewhere")
    np.testing.assert_allclose(added, delta_of(baseline, "P3") + outside, atol=1e-5)


def test_a_training_target_outside_counts_as_one_without_edges(make_table):
    rows = [(p, "K", 5, "train", [d]) for p, d in (("A", 1), ("B", 4), ("C", -3), ("out", 9))]
    inside = KnowledgeGraph("g", [*"ABCX", "out"], [0, 1], [3, 3], [1.0, 1.0])
    outside = KnowledgeGraph("g", [*"ABX"], [0, 1], [2, 2], [1.0, 1.0])
    one, other = (
        KernelBaseline(make_table(rows), graph, noise=0.3).predict("X").layers["delta"]
        for graph in (inside, outside)
    )
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("signal", [0.2, 5.0])
def test_noise_is_found(random_table, random_graph, signal):
    rng = np.random.default_rng(1)
    graph = random_graph(n=300)
    kernel = diffusion(graph, 3.0)
    kernel /= np.diag(kernel).mean()
    table = random_table(300, n_genes=40)
    smooth = np.linalg.cholesky(kernel + 1e-9 * np.eye(300)) @ rng.normal(size=(300, 40))
    cells = table.obs["n_cells"].to_numpy()[1:]
    noise = rng.normal(size=smooth.shape) * np.sqrt(np.median(cells) / cells)[:, None]
    table.X[1:] = table.X[0] + 3 + np.sqrt(signal) * smooth + noise
    found = KernelBaseline(table, graph).noise_
    assert found == pytest.approx(1 / signal, rel=0.5)


def test_the_graph_helps(random_graph, random_table):
    graph = random_graph(n=200)
    effects = 20 * spectral_embedding(graph, 8)
    table = random_table(150)
    table.X[1:] = table.X[0] + effects.loc[table.obs["perturbation"].iloc[1:]].to_numpy()
    unseen = [node for node in effects.index if int(node[1:]) >= 150]
    predicted = KernelBaseline(table, graph).predict(unseen).layers["delta"]
    mean = (table.X[1:] - table.X[0]).mean(axis=0)
    truth = effects.loc[unseen].to_numpy()
    assert ((predicted - truth) ** 2).sum() < 0.8 * ((mean - truth) ** 2).sum()


@pytest.mark.parametrize("options", [{"noise": 0}, {"noise": np.nan}, {"time": 0}])
def test_wrong_input(random_table, random_graph, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be a positive number"):
        KernelBaseline(random_table(), random_graph(), **options)
