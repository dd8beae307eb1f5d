import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.baselines import GeneralBaseline
from txpert.data import ConditionTable
from txpert.data._batches import average_over_batches
from txpert.datasets import SimulationParameters, TruthOracle, simulated_graph
from txpert.datasets._covariance import EffectCovariance
from txpert.datasets._effects import draw_effects
from txpert.datasets._graph_oracle import GraphOracle


def score(predictor, adata):
    """Mean Pearson Δ and mean squared error over the test perturbations."""
    table = ConditionTable.from_anndata(tx.pp.pseudobulk(adata))
    rows = table.subset((table.obs["split"] == "test").to_numpy())
    predicted = predictor.predict(rows.obs, controls=rows.controls).layers["delta"]
    pairs = [average_over_batches(values, rows.obs)[0] for values in (predicted, rows.delta)]
    return tx.metrics.pearson_delta(*pairs).mean(), tx.metrics.mse(*pairs).mean()


@pytest.fixture(scope="module")
def screen():
    adata = tx.datasets.simulate(120, 200, 30, n_batches=2, n_doubles=20, seed=4)
    tx.pp.normalize(adata)
    tx.pp.split(adata)
    return adata


def test_oracles_bound_each_other(screen):
    predictors = (
        GeneralBaseline(tx.pp.pseudobulk(screen)),
        GraphOracle(screen),
        TruthOracle(screen),
    )
    (general, graph, truth), errors = zip(*(score(p, screen) for p in predictors), strict=True)
    assert general + 0.15 < graph < truth - 0.05
    assert truth > 0.9
    assert errors[0] > errors[1] > errors[2]


def test_a_graph_that_tells_nothing_gives_the_mean_effect():
    settings = SimulationParameters(graph_share=0.0, knockdown=1.0)
    adata = tx.datasets.simulate(100, 200, 40, n_batches=2, parameters=settings, seed=1)
    tx.pp.normalize(adata)
    tx.pp.split(adata)
    general = GeneralBaseline(tx.pp.pseudobulk(adata))
    assert score(GraphOracle(adata), adata)[0] == pytest.approx(score(general, adata)[0], abs=0.05)


def test_the_covariance_is_that_of_the_effects():
    graph, settings = tx.datasets.toy_graph(), SimulationParameters(effect_sd=0.4)
    targets, genes = list(graph.nodes[:12]), [f"OTHER{i}" for i in range(100)]
    rng, effects = np.random.default_rng(0), []
    for _ in range(150):
        drawn = draw_effects(rng, graph, targets, genes, settings, n_lines=2, n_doubles=0)
        effects.append(drawn.log_fold_change.reshape(24, 100))
    conditions = pd.DataFrame(
        {"perturbation": targets * 2, "cell_line": np.repeat(["line_1", "line_2"], 12)}
    )
    expected = EffectCovariance(graph, settings)(conditions, conditions)
    measured = np.mean([values @ values.T / 100 for values in effects], axis=0)
    assert np.diagonal(measured).mean() == pytest.approx(np.diagonal(expected).mean(), rel=0.1)
    off = ~np.eye(24, dtype=bool)
    assert np.corrcoef(measured[off], expected[off])[0, 1] > 0.95


def test_the_form_is_that_of_the_baselines(adata):
    baseline = GeneralBaseline(tx.pp.pseudobulk(adata))
    asked = ["GENE11", "control", "GENE1"]
    for oracle in (TruthOracle(adata), GraphOracle(adata)):
        ours = oracle.predict(asked, by_batch=True)
        theirs = baseline.predict(asked, by_batch=True)
        assert ours.obs.equals(theirs.obs)
        assert list(ours.var_names) == list(theirs.var_names)
        assert ours.X.dtype == theirs.X.dtype
        controls = (ours.obs["perturbation"] == "control").to_numpy()
        np.testing.assert_array_equal(ours.layers["delta"][controls], 0)
        one = oracle.predict("GENE1", batch="batch_2", cell_line="simulated", by_batch=True)
        np.testing.assert_array_equal(one.X, ours.X[[5]])


def test_what_was_not_simulated_is_refused(adata):
    with pytest.raises(KeyError, match="'GENE2' in 'simulated' was not simulated"):
        TruthOracle(adata).predict("GENE2")
    with pytest.raises(KeyError, match="'NOGENE' is no node"):
        GraphOracle(adata).predict("NOGENE")


def test_a_double_is_known_in_either_order(screen):
    pair = screen.uns["truth"]["interactions"].iloc[0]
    oracle = TruthOracle(screen)
    labels = [
        f"{a}+{b}" for a, b in ((pair["first"], pair["second"]), (pair["second"], pair["first"]))
    ]
    first, second = (oracle.predict(label, batch="batch_1").layers["delta"] for label in labels)
    np.testing.assert_array_equal(first, second)


def test_nothing_to_learn_from(adata):
    adata.obs["split"] = adata.obs["split"].astype(object).where(adata.obs["control"], "test")
    with pytest.raises(ValueError, match="No perturbation is in training"):
        GraphOracle(adata)


def test_an_oracle_of_a_noisy_graph_lies_between(screen):
    true, noisy = (
        score(GraphOracle(screen, simulated_graph(screen, missing=wrong, wrong=wrong)), screen)[0]
        for wrong in (0.0, 0.6)
    )
    assert true == pytest.approx(score(GraphOracle(screen), screen)[0])
    assert noisy < true - 0.02
