"""Genes that a screen did not measure are read as such, learned and scored where they were."""

import warnings

import anndata as ad
import numpy as np
import pytest

import txpert as tx
from txpert.baselines._registry import make_baseline
from txpert.data import ConditionTable

LACKS = slice(0, 10)


@pytest.fixture
def panel(two_lines):
    """RPE1 did not measure the first ten genes."""
    two_lines.X[(two_lines.obs["cell_line"] == "RPE1").to_numpy(), LACKS] = np.nan
    tx.pp.split(two_lines)
    return two_lines


@pytest.fixture
def marked(panel):
    """The same with zeros, marked."""
    panel.X = np.nan_to_num(panel.X)
    tx.pp.mark_unmeasured(panel)
    return panel


def in_rpe1(obs):
    return (obs["cell_line"] == "RPE1").to_numpy()


def test_nan_stays_nan_in_means_and_delta(panel):
    table = ConditionTable.from_anndata(tx.pp.pseudobulk(panel))
    for made in (table, table.over_batches()):
        lacks = in_rpe1(made.obs)
        assert np.isnan(made.mean[lacks][:, LACKS]).all()
        assert np.isnan(made.delta[lacks][:, LACKS]).all()
        assert np.isfinite(made.delta[lacks][:, 10:]).all()
        assert np.isfinite(made.delta[~lacks]).all()
        assert np.isnan(made.controls.mean[in_rpe1(made.controls.obs)][:, LACKS]).all()
        assert np.isfinite(made.controls.filled().mean).all()


def test_zeros_of_an_outer_join_are_warned_about_and_can_be_marked(panel):
    expected = tx.pp.pseudobulk(panel)
    panel.X = np.nan_to_num(panel.X)
    with pytest.warns(UserWarning, match="zero in all cells.*10 in 'RPE1'.*mark_unmeasured"):
        tx.pp.pseudobulk(panel)
    assert tx.pp.mark_unmeasured(panel).to_dict() == {"K562": 0, "RPE1": 10}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = tx.pp.pseudobulk(panel)
    np.testing.assert_array_equal(found.layers["delta"], expected.layers["delta"])


def test_marks_survive_a_file_and_a_choice_of_genes(marked, tmp_path):
    marked[:, 5:].write_h5ad(tmp_path / "marked.h5ad")
    table = tx.pp.pseudobulk(ad.read_h5ad(tmp_path / "marked.h5ad"))
    assert np.isnan(table.X[in_rpe1(table.obs)][:, :5]).all()
    assert np.isfinite(table.X[:, 5:]).all()


def test_unknown_lines_and_genes_are_refused(panel):
    with pytest.raises(KeyError, match="no cell line 'HepG2'"):
        tx.pp.mark_unmeasured(panel, {"HepG2": []})
    with pytest.raises(KeyError, match="no gene 'nope'"):
        tx.pp.mark_unmeasured(panel, {"RPE1": ["nope"]})


@pytest.mark.parametrize("missing", ["panel", "marked"])
@pytest.mark.parametrize("unit", ["pseudobulk", "cell"])
@pytest.mark.parametrize(
    "options",
    [
        {"decoding": "low_rank", "basal": "mlp"},
        {"decoding": "low_rank", "components": ("mean", "gaussian_process", "network")},
        {"decoding": "direct"},
    ],
    ids=["reads controls", "ensemble", "direct"],
)
def test_models_train_and_predict_every_gene(request, make_model, missing, unit, options):
    adata = request.getfixturevalue(missing)
    train = {"unit": unit, "refit": True}
    model = make_model(adata, train=train, **{"components": "network", **options})
    predicted = model.predict(["GENE3", "GENE5"])
    assert np.isfinite(predicted.layers["delta"]).all()
    assert np.isnan(predicted.X[in_rpe1(predicted.obs)][:, LACKS]).all()
    with pytest.warns(UserWarning, match="10 in 'RPE1'"):
        scores = tx.tl.evaluate(adata, model)
    assert scores["n_undefined"].tolist() == [0, 0]


@pytest.mark.parametrize("decoding", ["low_rank", "direct"])
def test_what_stands_where_nothing_was_measured_does_not_matter(marked, make_model, decoding):
    def predicted(value):
        adata = marked.copy()
        adata.X[np.ix_(in_rpe1(adata.obs), np.arange(10))] = value
        model = make_model(adata, decoding=decoding, components=("mean", "network"))
        return model.predict(["GENE3", "GENE5"]).layers["delta"]

    np.testing.assert_array_equal(predicted(0.0), predicted(3.5))


@pytest.mark.parametrize("name", sorted(tx.baselines.show().index))
def test_baselines_predict_every_gene(panel, graph, name):
    options = {"graphs": graph} if "graphs" in str(tx.baselines.show().loc[name, "needs"]) else {}
    baseline = make_baseline(name, **options)
    delta = baseline.fit(panel).predict(["GENE3", "GENE5"]).layers["delta"]
    assert np.isfinite(delta).all()


def test_a_benchmark_leaves_out_what_was_not_measured(marked):
    with pytest.warns(UserWarning, match="10 in 'RPE1'"):
        result = tx.benchmark(marked, {"mean": "mean"}, task=None, seeds=[0], ceiling_repeats=0)
    assert result.runs["status"].tolist() == ["done", "done"]
    assert result.scores["pearson_delta"].notna().all()


def test_marks_of_lines_that_were_renamed_are_missed():
    adata = tx.datasets.toy()
    lines = adata.obs["batch"].map({"batch_1": "K562", "batch_2": "line_2"}).astype(str)
    adata.obs["cell_line"] = lines
    tx.pp.mark_unmeasured(adata, {"line_2": ["GENE1"]})
    of_one = tx.pp.pseudobulk(adata[(lines == "K562").to_numpy()].copy())
    assert not np.isnan(of_one.X).any()
    adata.obs["cell_line"] = lines.replace({"line_2": "RPE1"})
    with pytest.warns(UserWarning, match="'line_2'.*no longer.*'RPE1'"):
        tx.pp.pseudobulk(adata)


def test_lines_named_by_numbers_are_marked():
    adata = tx.datasets.toy()
    adata.obs["cell_line"] = adata.obs["batch"].map({"batch_1": 1, "batch_2": 2}).astype(int)
    assert tx.pp.mark_unmeasured(adata, {1: ["GENE1"]}).to_dict() == {"1": 1, "2": 0}
    with pytest.raises(ValueError, match=r"write \['GENE1'\]"):
        tx.pp.mark_unmeasured(adata, {1: "GENE1"})
