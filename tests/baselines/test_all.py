"""What holds for every baseline."""

import warnings

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.baselines._registry import BASELINES, make_baseline

GRAPH = tx.datasets.toy_graph()
FEATURES = tx.graph.spectral_embedding(GRAPH, 8)
OPTIONS = {
    "ridge": {"features": FEATURES},
    "neighbors": {"graphs": GRAPH},
    "kernel": {"graphs": GRAPH},
    "line_alone": {"graphs": GRAPH},
}
LABELS = ["GENE9", "GENE3+GENE5"]
ASKED = ["GENE3+GENE5", "GENE9", "not a gene", "control", "GENE9+ctrl"]


def unfitted(name):
    return make_baseline(name, **OPTIONS.get(name, {}))


@pytest.fixture(params=BASELINES)
def make(request):
    return lambda table: unfitted(request.param).fit(table)


@pytest.mark.parametrize("name", BASELINES)
def test_the_rules_of_predictors(name, two_lines):
    tx.testing.check_predictor(unfitted(name), two_lines)


@pytest.mark.parametrize("name", BASELINES)
def test_fitting_stands_apart(name, adata):
    baseline = unfitted(name)
    assert not baseline.is_fitted
    assert "not fitted" in repr(baseline)
    with pytest.raises(ValueError, match=r"was not fitted yet; run baseline.fit"):
        baseline.predict("GENE9")
    assert baseline.fit(adata) is baseline
    expected = baseline.predict("GENE9").X
    again = baseline.unfitted()
    assert not again.is_fitted
    at_once = type(baseline)(tx.pp.pseudobulk(adata), **baseline.options)
    for other in (again.fit(tx.pp.pseudobulk(adata)), at_once):
        np.testing.assert_allclose(other.predict("GENE9").X, expected, atol=1e-5)


def test_the_registry_says_what_there_is():
    table = tx.baselines.show()
    classes = {name for name in tx.baselines.__all__ if name.endswith("Baseline")}
    assert set(table["class"]) == classes - {"Baseline"}
    assert table["description"].str.endswith(".").all()
    with pytest.raises(ValueError, match="already the baseline 'mean', MeanBaseline; take"):
        tx.baselines.register_baseline("mean")(tx.baselines.RidgeBaseline)


def test_the_same_form_as_the_model(make, adata, make_model):
    labels = ["GENE3+GENE5", "GENE9"]
    model = make_model(adata, epochs=0)
    model.is_trained_ = True
    ours = model.predict(labels)
    theirs = make(tx.pp.pseudobulk(adata)).predict(labels)
    pd.testing.assert_frame_equal(ours.obs, theirs.obs)
    assert ours.var_names.equals(theirs.var_names)
    assert ours.X.dtype == theirs.X.dtype == theirs.layers["delta"].dtype == np.float32


def test_control_plus_delta_and_controls_stay(make, two_lines):
    table = tx.pp.pseudobulk(two_lines)
    prediction = make(table).predict(ASKED, by_batch=True, clip=False)
    assert prediction.n_obs == (len(ASKED) - 1) * 4  # "GENE9+ctrl" is "GENE9"
    assert np.isfinite(prediction.X).all()
    controls = table[table.obs["control"].to_numpy()]
    context = pd.MultiIndex.from_frame(controls.obs[["cell_line", "batch"]].astype(str))
    asked = pd.MultiIndex.from_frame(prediction.obs[["cell_line", "batch"]])
    matched = controls.X[context.get_indexer(asked)]
    np.testing.assert_allclose(prediction.X - prediction.layers["delta"], matched, atol=1e-5)
    assert (prediction[prediction.obs["perturbation"] == "control"].layers["delta"] == 0).all()
    one, same = (make(table).predict(label).X for label in ("GENE9", "GENE9+ctrl"))
    np.testing.assert_array_equal(one, same)


def test_names_are_understood(make, adata):
    baseline = make(tx.pp.pseudobulk(adata))
    expected = baseline.predict(["GENE9", "GENE3+GENE5", adata.var_names[7]])
    asked = ["gene9", "GENE3_GENE5", adata.var_names[7].lower()]
    with pytest.warns(UserWarning, match=r"Read 'gene9' as 'GENE9', 'GENE3_GENE5' as") as caught:
        found = baseline.predict(asked)
    assert [warning.filename for warning in caught] == [__file__]
    assert found.obs["perturbation"].tolist() == expected.obs["perturbation"].tolist()
    np.testing.assert_array_equal(found.X, expected.X)
    frame = pd.DataFrame({"perturbation": asked})
    with pytest.warns(UserWarning, match="Read"):
        found = baseline.predict(frame)
    assert found.obs["perturbation"].tolist() == asked
    np.testing.assert_allclose(found.X, expected.X, atol=1e-6)


def test_clear_and_unknown_names_are_left_alone(make, adata):
    baseline = make(adata)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = baseline.predict([*ASKED, "GENE9_NOPE"])
        baseline.predict(found.obs[["perturbation", "cell_line", "batch"]])
    assert "GENE9_NOPE" in list(found.obs["perturbation"])
    with pytest.raises(ValueError, match="A perturbation is a string"):
        baseline.predict([3])
    with pytest.raises(ValueError, match="perturbations must be a list of names"):
        baseline.predict(3)


@pytest.mark.parametrize("name", OPTIONS)
def test_nodes_and_features_are_names_too(name, adata):
    new = "GENE3"
    adata = adata[:, adata.var_names != new].copy()
    adata = adata[adata.obs["perturbation"] != new].copy()
    baseline = unfitted(name).fit(adata)
    with pytest.warns(UserWarning, match="Read 'gene3' as 'GENE3'"):
        found = baseline.predict("gene3").X
    np.testing.assert_array_equal(found, baseline.predict(new).X)


@pytest.mark.parametrize("name", BASELINES)
def test_names_of_the_data_are_not_read_as_others(name, adata):
    tested = sorted(adata.obs.loc[adata.obs["split"] == "test", "perturbation"].unique())
    old = {tested[0]: "MLL"}
    adata.obs["perturbation"] = adata.obs["perturbation"].astype(str).replace(old)
    adata.var_names = ["KMT2A", *adata.var_names[1:]]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Read ")
        unfitted(name).fit(adata).predict("MLL")
        models = {"it": unfitted(name)}
        result = tx.benchmark(adata, models, baseline=None, ceiling_repeats=0)
    assert result.models == ["it"]
    assert "MLL" in set(result.scores["perturbation"])


def test_what_is_not_trained_on_changes_nothing(make, two_lines):
    before = tx.pp.pseudobulk(two_lines)
    after = before.copy()
    hidden = before.obs["split"].isin(["val", "test"]).to_numpy()
    assert hidden.any()
    after.X[hidden] += np.random.default_rng(0).normal(size=after.X[hidden].shape)
    first, second = (make(table).predict(ASKED) for table in (before, after))
    np.testing.assert_array_equal(first.X, second.X)


def test_the_order_of_genes_and_rows_does_not_matter(make, two_lines):
    table = tx.pp.pseudobulk(two_lines)
    rng = np.random.default_rng(0)
    shuffled = table[rng.permutation(table.n_obs), rng.permutation(table.n_vars)].copy()
    one, other = (make(t).predict(ASKED) for t in (table, shuffled))
    other = other[one.obs_names, one.var_names]
    np.testing.assert_allclose(one.X, other.X, atol=2e-4)


def test_controls_of_ones_own_in_another_order_of_genes(make, adata):
    baseline = make(tx.pp.pseudobulk(adata))
    cells = adata[adata.obs["control"].to_numpy()].copy()
    one = baseline.predict("GENE9", controls=cells)
    other = tx.pp.pseudobulk(adata[:, ::-1].copy())
    profiles = tx.data.ConditionTable.from_anndata(other).controls
    two = baseline.predict("GENE9", controls=profiles)
    assert one.var_names.equals(two.var_names)
    np.testing.assert_allclose(one.X, two.X, atol=1e-4)
    with pytest.raises(ValueError, match="lack 1 of the 60 genes"):
        baseline.predict("GENE9", controls=profiles.over(profiles.genes[1:]))


def test_a_frame_of_conditions(make, two_lines):
    baseline = make(tx.pp.pseudobulk(two_lines))
    frame = pd.DataFrame(
        {
            "perturbation": ["GENE9", "GENE3+GENE5", "GENE9"],
            "cell_line": ["RPE1", "K562", "K562"],
            "batch": ["r_batch_1", "k_batch_2", "k_batch_1"],
        }
    )
    prediction, crossed = baseline.predict(frame), baseline.predict(LABELS, by_batch=True)
    np.testing.assert_allclose(prediction.X, crossed[prediction.obs_names].X, atol=1e-6)


def test_it_can_be_scored_beside_a_model(make, adata, make_model):
    model = make_model(adata)
    summary = tx.tl.evaluate(adata, model, baselines={"it": make(tx.pp.pseudobulk(adata))})
    assert np.isfinite(summary.loc["it", "mse"])


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "no_change"])
def test_nothing_to_learn_from(name, adata):
    table = tx.pp.pseudobulk(adata)
    table.obs["split"] = "test"
    with pytest.raises(ValueError, match="No perturbation is in training"):
        unfitted(name).fit(table)


@pytest.mark.parametrize("name", ["ridge", "neighbors", "kernel"])
def test_other_gene_names(name, adata):
    table = tx.pp.pseudobulk(adata)
    table.obs["perturbation"] = table.obs["perturbation"].astype(str).str.replace("GENE", "ENSG")
    with pytest.raises(ValueError, match="the same gene symbols"):
        unfitted(name).fit(table)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("name", BASELINES)
def test_very_few_training_perturbations(name, n, adata):
    table = tx.pp.pseudobulk(adata)
    labels = table.obs["perturbation"].astype(str)
    few = sorted(set(labels) - {"control"})[:n]
    table.obs["split"] = np.where(labels.isin(few), "train", "test")
    prediction = unfitted(name).fit(table).predict(ASKED)
    assert np.isfinite(prediction.X).all()
