"""What comes back from predict()."""

from functools import partial

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scvi
import torch

import txpert as tx


@pytest.fixture(scope="module")
def trained(_toy):
    """A screen and an ensemble trained on it."""
    scvi.settings.seed = 0
    adata = _toy.copy()
    tx.pp.split(adata)
    adata.var["length"] = np.arange(adata.n_vars, dtype=float)
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, tx.datasets.toy_graph(), n_hidden=16)
    model.train(max_epochs=1, enable_progress_bar=False)
    return adata, model


def test_one_row_per_perturbation_and_line_or_per_batch(trained):
    _, model = trained
    lines = model.predict(["GENE3", "GENE3+GENE5"])
    assert lines.obs["perturbation"].tolist() == ["GENE3", "GENE3+GENE5"]
    assert set(lines.obs["batch"]) == {"all"}
    batches = model.predict("GENE3", by_batch=True)
    assert batches.obs["batch"].tolist() == ["batch_1", "batch_2"]
    cells = model.control_profiles.obs["n_cells"].to_numpy()
    mean = np.average(batches.X, axis=0, weights=cells)
    np.testing.assert_allclose(lines.X[0], mean, atol=1e-5)
    assert model.predict("GENE3", batch="batch_2").obs["batch"].tolist() == ["batch_2"]


def test_a_line_is_the_mean_of_the_batches_asked_for(two_lines, make_model):
    model = make_model(two_lines)
    predicted = model.predict(["GENE3"], batch=["k_batch_1", "r_batch_1", "r_batch_2"])
    assert predicted.obs["cell_line"].tolist() == ["K562", "RPE1"]
    assert predicted.obs["batch"].tolist() == ["k_batch_1", "all"]
    alone = model.predict("GENE3", batch="k_batch_1")
    np.testing.assert_allclose(predicted.X[0], alone.X[0], rtol=1e-5)


def test_what_was_predicted_can_be_asked_for_again(trained):
    _, model = trained
    first = model.predict(["GENE3", "GENE5"])
    again = model.predict(first.obs)
    np.testing.assert_allclose(again.X, first.X, rtol=1e-5)
    without = model.predict(first.obs[["perturbation", "cell_line"]])
    pd.testing.assert_index_equal(without.obs_names, first.obs_names)


def test_baselines_have_the_same_rows(trained):
    adata, _ = trained
    baseline = tx.baselines.MeanBaseline().fit(adata)
    assert len(baseline.predict(["GENE3", "GENE5"])) == 2
    assert len(baseline.predict(["GENE3", "GENE5"], by_batch=True)) == 4


def test_a_stored_prediction_of_lines_is_scored_in_every_batch(trained):
    adata, model = trained
    stored = tx.baselines.StoredPrediction(model.predict(adata.obs["perturbation"].unique()))
    summary = tx.tl.evaluate(adata, model, baselines={"stored": stored})
    assert summary["n_undefined"].eq(0).all()
    a, b = summary["pearson_delta"]
    assert a == pytest.approx(b, abs=1e-3)


def test_expression_is_never_negative_and_delta_untouched(trained):
    adata, model = trained
    controls = adata[adata.obs["control"]].copy()
    controls.X = controls.X.toarray() * 0.01
    clipped = model.predict(["GENE3", "GENE5"], controls=controls)
    free = model.predict(["GENE3", "GENE5"], controls=controls, clip=False)
    assert free.X.min() < 0
    np.testing.assert_array_equal(clipped.X, np.maximum(free.X, 0))
    np.testing.assert_array_equal(clipped.layers["delta"], free.layers["delta"])
    mean = tx.baselines.MeanBaseline().fit(adata)
    assert mean.predict("GENE3", controls=controls).X.min() == 0
    assert mean.predict("GENE3", controls=controls, clip=False).X.min() < 0


def test_effects_stay_negative():
    rng = np.random.default_rng(0)
    effects = pd.DataFrame(
        rng.normal(-1, 0.1, size=(12, 20)).astype(np.float32),
        index=[f"G{i}" for i in range(12)],
        columns=[f"G{i}" for i in range(20)],
    )
    adata = tx.pp.from_effects(effects)
    assert tx.baselines.MeanBaseline().fit(adata).predict("G15").X.max() < 0
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, components="mean")
    model.train(enable_progress_bar=False)
    assert model.predict("G3").X.max() < 0


def test_genes_keep_their_annotation_and_settings_come_along(trained, tmp_path):
    adata, model = trained
    predicted = model.predict("GENE3")
    pd.testing.assert_frame_equal(predicted.var, adata.var)
    predicted.write_h5ad(tmp_path / "p.h5ad")
    about = ad.read_h5ad(tmp_path / "p.h5ad").uns["txpert"]
    assert about["training"]["split_sha256"] == adata.uns["txpert_split"]["sha256"]
    assert (about["training"]["seed"], about["training"]["epochs"]) == (0, 1)
    assert about["settings"]["encoder"]["name"] == "bmp"
    assert list(about["graphs"]) == ["toy"]
    assert about["versions"]["txpert"] == tx.__version__
    assert set(about["trained_on"]["perturbation"]) == {label for label, _ in model.trained_on_}


def test_functions_among_the_options_are_recorded_by_name(adata, graph):
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graph, components="network")
    plan = {"optimizer_creator": partial(torch.optim.SGD, lr=0.1), "optimizer": "Custom"}
    model.train(1, plan_kwargs=plan, enable_progress_bar=False)
    found = str(model.predict("GENE3").uns["txpert"]["training"]["plan_kwargs"])
    assert "SGD" in found
    assert " at 0x" not in found


def test_settings_survive_saving(trained, tmp_path):
    _, model = trained
    model.save(tmp_path / "m")
    loaded = tx.TxPertModel.load(tmp_path / "m")
    assert loaded.training_ == model.training_
    assert loaded.predict("GENE3").uns["txpert"].keys() == model.record().keys()


def test_representations_are_short(trained):
    _, model = trained
    for shown in (repr(model), model._repr_html_()):
        assert all(text in shown for text in ("bmp", "toy", "gaussian_process", "epochs", "seed"))
    assert len(repr(model).splitlines()) < 10
    fresh = tx.TxPertModel(model.adata, tx.datasets.toy_graph())
    assert "not trained" in repr(fresh)
    assert "epochs" not in repr(fresh)
    profiles = model.control_profiles
    assert "2 contexts × 60 genes" in repr(profiles)
    assert "batch_2" in profiles._repr_html_()


def test_cell_eval_takes_a_prediction_as_it_is(trained, tmp_path):
    cell_eval = pytest.importorskip("cell_eval")
    adata, model = trained
    evaluator = cell_eval.MetricsEvaluator(
        adata_pred=model.predict(adata.obs["perturbation"].unique()),
        adata_real=adata,
        control_pert="control",
        pert_col="perturbation",
        outdir=str(tmp_path),
        num_threads=1,
        skip_de=True,
    )
    scores, _ = evaluator.compute(
        profile="anndata",
        skip_metrics=["clustering_agreement", "pearson_edistance"],
        write_csv=False,
    )
    theirs = dict(zip(scores["perturbation"], scores["pearson_delta"], strict=True))
    assert len(theirs) == adata.obs["perturbation"].nunique() - 1
    assert np.isfinite(list(theirs.values())).all()


def frame(**columns):
    return pd.DataFrame({"perturbation": ["GENE3"], "cell_line": "simulated", **columns})


def test_modalities_that_no_training_perturbation_has_are_refused(trained, make_model):
    adata, model = trained
    first = model.predict(frame())
    for modality in ("all", np.nan):
        same = model.predict(frame(modality=modality))
        assert same.obs["modality"].tolist() == ["all"]
        np.testing.assert_array_equal(same.X, first.X)
    with pytest.raises(KeyError, match=r"modality 'zzz'; the data name none"):
        model.predict(frame(modality="zzz"))
    other = adata.copy()
    other.obs["modality"] = np.where(other.obs["perturbation"] == "GENE11", "knockout", "CRISPRi")
    named = make_model(other, components=("mean", "gaussian_process"))
    for modality in ("zzz", "all"):
        with pytest.raises(KeyError, match=rf"'{modality}'; there are CRISPRi, knockout"):
            named.predict(frame(modality=modality))
    assert len(named.predict(frame(modality="knockout"))) == 1
    control = frame(modality="all").assign(perturbation="control")
    assert not named.predict(control).layers["delta"].any()


@pytest.mark.parametrize(
    "where", [{"cell_line": "simulated"}, {"batch": "nonsense"}, {"by_batch": True}]
)
def test_a_frame_says_itself_where_it_is_predicted(trained, where):
    adata, model = trained
    for predictor in (model, tx.baselines.MeanBaseline().fit(adata)):
        with pytest.raises(ValueError, match=f"{next(iter(where))} is for labels"):
            predictor.predict(frame(), **where)


def test_a_frame_needs_no_cell_line_where_there_is_one(trained, two_lines):
    adata, model = trained
    short = frame()[["perturbation"]]
    np.testing.assert_array_equal(model.predict(short).X, model.predict(frame()).X)
    assert len(tx.baselines.MeanBaseline().fit(adata).predict(short)) == 1
    baseline = tx.baselines.MeanBaseline().fit(two_lines)
    with pytest.raises(KeyError, match=r"cell_line'\]: add them.* one of K562, RPE1"):
        baseline.predict(short)


def test_names_of_another_type_are_refused(trained):
    _, model = trained
    with pytest.raises(ValueError, match=r"is a string such as .* not \['GENE3'\]"):
        model.predict([["GENE3"]])
    with pytest.raises(ValueError, match=r"name of one cell line, not \['simulated'\]"):
        model.explain("GENE3", cell_line=["simulated"])
    with pytest.raises(ValueError, match="must be a list of names, not 5"):
        model.get_perturbation_embedding(5)
    assert model.get_latent_representation(indices=[]).shape == (0, 64)
