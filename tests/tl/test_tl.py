import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.baselines import GeneralBaseline


def test_predictions_of_cells_are_those_of_their_conditions(two_lines, make_model):
    model = make_model(two_lines)
    before = two_lines.copy()
    tx.tl.predict(two_lines, model)
    frame = two_lines.obsm["X_txpert"]
    assert list(frame.columns) == list(two_lines.var_names)
    for cell in two_lines.obs_names[::97]:
        row = two_lines.obs.loc[cell]
        expected = model.predict(row["perturbation"], batch=row["batch"])
        np.testing.assert_allclose(frame.loc[cell], expected.X[0], atol=1e-5)
    assert two_lines.obs.equals(before.obs)


def test_only_test_perturbations_are_scored(adata, make_model):
    tx.tl.evaluate(adata, make_model(adata))
    scored = set(adata.uns["txpert"]["metrics"]["perturbation"])
    assert scored == set(adata.obs.loc[adata.obs["split"] == "test", "perturbation"])


def test_scores_agree_with_a_plain_computation(two_lines, make_model):
    """Δ by batch-matched controls, averaged over the cells of a line, then Pearson's r."""
    model = make_model(two_lines)
    tx.tl.evaluate(two_lines, model)
    metrics = two_lines.uns["txpert"]["metrics"]
    X = pd.DataFrame(np.asarray(two_lines.X), index=two_lines.obs_names)
    obs = two_lines.obs
    for _, row in metrics[metrics["model"] == "TxPert"].iterrows():
        cells = obs[
            (obs["perturbation"] == row["perturbation"]) & (obs["cell_line"] == row["cell_line"])
        ]
        assert row["n_cells"] == len(cells)
        observed, predicted = [], []
        for cell, batch in cells["batch"].items():
            control = X[(obs["batch"] == batch).to_numpy() & obs["control"].to_numpy()].mean()
            observed.append(X.loc[cell] - control)
            predicted.append(model.predict(row["perturbation"], batch=batch).layers["delta"][0])
        observed, predicted = np.mean(observed, axis=0), np.mean(predicted, axis=0)
        assert row["pearson_delta"] == pytest.approx(
            np.corrcoef(observed, predicted)[0, 1], abs=1e-4
        )
        assert row["mse"] == pytest.approx(np.mean((observed - predicted) ** 2), rel=1e-3)


class Truth:
    """Predicts what was observed."""

    def __init__(self, adata):
        self.table = tx.pp.pseudobulk(adata)

    def predict(self, perturbations, *, controls):
        keys = ["perturbation", "cell_line", "batch"]
        known = pd.MultiIndex.from_frame(self.table.obs[keys].astype(str))
        wanted = pd.MultiIndex.from_frame(perturbations[keys].astype(str))
        return self.table[known.get_indexer(wanted)]


def test_the_truth_scores_perfectly_and_genes_are_aligned(two_lines, make_model):
    model = make_model(two_lines)
    truth = Truth(two_lines)
    turned = Truth(two_lines)
    turned.table = turned.table[:, ::-1].copy()
    summary = tx.tl.evaluate(two_lines, model, baselines={"truth": truth, "turned": turned})
    for name in ("truth", "turned"):
        assert summary.loc[name, "pearson_delta"] == pytest.approx(1, abs=1e-5)
        assert summary.loc[name, "retrieval"] == 1
        assert summary.loc[name, "mse"] == pytest.approx(0, abs=1e-10)


def test_retrieval_compares_with_all_perturbations_of_the_line(two_lines, make_model):
    tx.tl.evaluate(two_lines, make_model(two_lines))
    metrics = two_lines.uns["txpert"]["metrics"]
    shares = metrics["retrieval"] * 11  # 12 perturbations in each line
    np.testing.assert_allclose(shares, shares.round(), atol=1e-9)


def test_other_data_are_scored_by_the_training_of_the_model(two_lines, make_model):
    k562, rpe1 = (two_lines[two_lines.obs["cell_line"] == c].copy() for c in ("K562", "RPE1"))
    model = make_model(k562)
    summary = tx.tl.evaluate(rpe1, model)
    general = GeneralBaseline(tx.pp.pseudobulk(k562))
    again = tx.tl.evaluate(rpe1, model, baselines={"mine": general})
    assert summary.loc["general", "mse"] == pytest.approx(again.loc["mine", "mse"])
    tx.tl.predict(rpe1, model)
    assert rpe1.obsm["X_txpert"].shape == rpe1.shape


def test_results_survive_h5ad(adata, make_model, tmp_path):
    model = make_model(adata)
    tx.tl.predict(adata, model)
    tx.tl.evaluate(adata, model)
    adata.write_h5ad(tmp_path / "x.h5ad")
    back = ad.read_h5ad(tmp_path / "x.h5ad")
    for key in ("metrics", "summary", "delta_obs"):
        pd.testing.assert_frame_equal(
            back.uns["txpert"][key],
            adata.uns["txpert"][key],
            check_dtype=False,
            check_categorical=False,
            check_names=False,
        )
    np.testing.assert_array_equal(back.obsm["X_txpert"], adata.obsm["X_txpert"])
    tx.pl.scores(back)
    tx.pl.delta(back, back.uns["txpert"]["delta_obs"]["perturbation"].iloc[0])


def test_a_prediction_that_does_not_fit_is_refused(adata, make_model):
    class Short(Truth):
        def predict(self, perturbations, *, controls):
            return super().predict(perturbations, controls=controls)[:, 1:]

    with pytest.raises(ValueError, match="does not fit the"):
        tx.tl.evaluate(adata, make_model(adata), baselines={"short": Short(adata)})


def test_constant_predictions_are_counted_not_zeroed(adata, make_model):
    class Control:
        def predict(self, perturbations, *, controls):
            obs, context = controls.conditions(perturbations)
            return controls.prediction(obs, context, controls.mean[context])

    summary = tx.tl.evaluate(adata, make_model(adata), baselines={"no change": Control()})
    assert np.isnan(summary.loc["no change", "pearson_delta"])
    assert summary.loc["no change", "n_undefined"] == summary.loc["no change", "n_perturbations"]


def test_scoring_what_was_trained_on_warns(adata, make_model, tmp_path):
    make_model(adata).save(tmp_path / "m")
    again = adata.copy()
    tx.pp.split(again, seed=5)
    model = tx.TxPertModel.load(tmp_path / "m", again)
    with pytest.warns(UserWarning, match="was trained on . of the 3 perturbations"):
        tx.tl.evaluate(again, model)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        tx.tl.evaluate(adata, tx.TxPertModel.load(tmp_path / "m", adata))
