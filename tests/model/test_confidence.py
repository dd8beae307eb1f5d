"""Expected scores, intervals and flags of predictions."""

import warnings

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
    wide = model.predict(asked, interval=0.85)
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


@pytest.fixture
def of_few(make_model, adata):
    def make(n):
        labels = adata.obs["perturbation"].astype(str)
        kept = [label for label in labels.unique() if label != "control"][:n]
        some = adata[labels.isin(["control", *kept])].copy()
        del some.obs["split"]
        return make_model(some, train={"refit": True}, **ENSEMBLE)

    return make


@pytest.mark.parametrize(("n", "lost"), [(1, {"std", "expected"}), (2, {"expected"}), (6, set())])
def test_what_few_perturbations_do_not_tell_is_nan(of_few, n, lost):
    model = of_few(n)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        found = model.predict(["GENE3", "GENE3+GENE5"], return_std=True, return_confidence=True)
    told = [str(w.message) for w in caught if "training perturbations to learn" in str(w.message)]
    assert len(told) == bool(lost)
    assert np.isnan(found.layers["std"]).all() == ("std" in lost)
    assert (found.layers["std"] > 0).all() == ("std" not in lost)
    expected = found.obs["expected_pearson_delta"]
    assert expected.isna().all() == ("expected" in lost)
    assert np.isfinite(found.layers["delta"]).all()


@pytest.mark.parametrize(
    ("n", "level", "message"),
    [
        (1, 0.5, r"at least 2 training .* there are 1\.$"),
        (3, 0.9, r"at least 9 training .* there are 3; interval=0\.75 is the most"),
        (12, 0.9999, r"at least 9,999 training .* there are 12; interval=0\.92 is the most"),
    ],
)
def test_intervals_need_enough_perturbations(of_few, n, level, message, monkeypatch):
    model = of_few(n)
    monkeypatch.setattr(model, "_delta", None)  # it is said before the work
    with pytest.raises(ValueError, match=message):
        model.predict("GENE3", interval=level)


@pytest.mark.parametrize("asked", [{"return_confidence": True}, {"return_std": True}])
def test_an_untrained_ensemble_is_to_be_trained_first(make_model, adata, asked):
    model = make_model(adata, epochs=0, **ENSEMBLE)
    with pytest.raises(ValueError, match=r"run model\.train\(\) first"):
        model.predict("GENE3", **asked)
    whole = make_model(adata, epochs=0, components=("mean", "gaussian_process", "network"))
    with pytest.raises(ValueError, match=r"run model\.train\(\) first"):
        whole.predict("GENE3", **asked)
    with pytest.raises(ValueError, match=r"run model\.train\(\) first"):
        whole.explain("GENE3")
