import numpy as np
import pytest

from txpert.baselines import KernelBaseline
from txpert.graph import KnowledgeGraph, spectral_embedding


def test_what_is_known_stays_and_genes_outside_get_the_mean(random_table, random_graph, delta_of):
    table = random_table(30)
    baseline = KernelBaseline(table, random_graph())
    np.testing.assert_allclose(delta_of(baseline, "P3"), table.X[4] - table.X[0], atol=1e-6)
    outside = delta_of(baseline, "elsewhere")
    np.testing.assert_allclose(outside, delta_of(baseline, "nowhere"), atol=1e-6)
    mean = (table.X[1:] - table.X[0]).mean(axis=0)
    assert np.linalg.norm(outside - mean) < 0.5 * np.linalg.norm(delta_of(baseline, "P3") - mean)
    assert np.abs(outside - delta_of(baseline, "P35")).max() > 1e-3
    added = delta_of(baseline, "P3+elsewhere")
    np.testing.assert_allclose(added, delta_of(baseline, "P3") + outside, atol=1e-5)


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


def test_features_help(random_graph, random_table):
    features = 20 * spectral_embedding(random_graph(n=200), 8)
    table = random_table(150)
    table.X[1:] = table.X[0] + features.loc[table.obs["perturbation"].iloc[1:]].to_numpy()
    unseen = [node for node in features.index if int(node[1:]) >= 150]
    baseline = KernelBaseline(table, (), features={"mine": features})
    predicted = baseline.predict(unseen).layers["delta"]
    truth = features.loc[unseen].to_numpy()
    assert ((predicted - truth) ** 2).sum() < 0.1 * (truth**2).sum()


def test_names_that_do_not_meet(random_table):
    graph = KnowledgeGraph("g", ["X", "Y"], [0], [1], [1.0])
    with pytest.raises(ValueError, match="hold none of the 30 training targets, such as P0"):
        KernelBaseline(random_table(), graph)
    with pytest.raises(ValueError, match="hold none"):
        KernelBaseline(random_table(), ())
