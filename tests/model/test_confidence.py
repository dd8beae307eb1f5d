"""Expected scores, intervals and flags of predictions."""

import numpy as np
import pytest

import txpert as tx

ENSEMBLE = {"components": ("mean", "gaussian_process"), "decoding": "low_rank"}


@pytest.fixture
def model(make_model, adata):
    return make_model(adata, **ENSEMBLE)


def test_intervals_widen_and_expected_scores_are_correlations(model, tmp_path):
    asked = ["GENE10", "GENE20", "GENE10+GENE20", model.trained_on_[0][0]]
    found = model.predict(asked, interval=0.5, return_confidence=True)
    delta, low, high = (found.layers[name] for name in ("delta", "lower", "upper"))
    assert ((low < delta) & (delta < high)).all()
    wide = model.predict(asked, interval=0.9)
    assert (wide.layers["upper"] - wide.layers["lower"] >= high - low - 1e-6).all()
    assert "expected_pearson_delta" not in wide.obs
    expected = found.obs["expected_pearson_delta"]
    measured = found.obs["perturbation"] == asked[-1]
    assert expected[measured].isna().all()
    assert expected[~measured].between(-1, 1).all()
    model.save(tmp_path / "model")
    loaded = tx.TxPertModel.load(tmp_path / "model")
    again = loaded.predict(asked, interval=0.5, return_confidence=True)
    np.testing.assert_allclose(again.layers["upper"], high, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(again.obs["expected_pearson_delta"], expected, atol=1e-3)


def test_a_gene_without_edges_is_flagged(make_model, adata, graph):
    nodes = [*graph.nodes, "ALONE"]
    alone = tx.graph.KnowledgeGraph("toy", nodes, graph.source, graph.target, graph.weight)
    model = make_model(adata, graphs=[alone], **ENSEMBLE)
    found = model.predict(["ALONE", model.trained_on_[0][0]]).obs
    flagged = found.groupby("perturbation")["nothing_specific"].all()
    assert flagged["ALONE"]
    assert not flagged.drop("ALONE").any()


@pytest.mark.parametrize("level", [0, 1, 1.5, "0.9", True])
def test_coverage_is_between_0_and_1(model, level):
    with pytest.raises(ValueError, match="interval"):
        model.predict("GENE10", interval=level)


def test_the_network_alone_has_no_calibration(make_model, adata):
    model = make_model(adata, epochs=1)
    with pytest.raises(ValueError, match="gaussian_process"):
        model.predict("GENE10", interval=0.9)
    with pytest.raises(ValueError, match="gaussian_process"):
        model.predict("GENE10", return_confidence=True)


def test_expected_scores_of_combinations_are_those_achieved():
    """Folds by pairs would leave the parts of a held-out pair in training."""
    adata = tx.datasets.simulate(66, 80, 15, n_doubles=180, n_controls=300, n_batches=1, seed=0)
    tx.pp.normalize(adata)
    tx.pp.split(adata, "unseen_combination", fractions=(0.75, 0.05, 0.2))
    tx.TxPertModel.setup_anndata(adata)
    graph = tx.datasets.simulated_graph(adata)
    model = tx.TxPertModel(adata, graph, components=ENSEMBLE["components"])
    model.train(enable_progress_bar=False)
    tx.tl.evaluate(adata, model)
    scores = adata.uns["txpert"]["metrics"].query("model == 'TxPert'").set_index("perturbation")
    found = model.predict(list(scores.index), return_confidence=True).obs
    expected = found.set_index("perturbation")["expected_pearson_delta"]
    difference = expected - scores["pearson_delta"]
    assert abs(difference.mean()) < 0.13
    single = ~difference.index.str.contains("+", regex=False)
    assert abs(difference[single].mean()) < 0.1
