"""Predictions of other tools, usable and not."""

from functools import partial

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.baselines import (
    MeanBaseline,
    NeighborsBaseline,
    RidgeBaseline,
    StoredPrediction,
)
from txpert.data._batches import average_over_batches
from txpert.evaluation._metrics import score_names

ALL_METRICS = score_names()


def test_the_truth_scores_perfectly_in_any_order(adata, bench, table_of, scores_of):
    truth = table_of(adata)
    turned = truth[::-1, ::-1].copy()
    result = bench(adata, {"truth": truth, "turned": StoredPrediction(turned)})
    for name in ("truth", "turned"):
        scores = scores_of(result, name)
        for metric in set(ALL_METRICS) - {"mse", "mse_without_targets"}:
            assert scores[metric].to_numpy() == pytest.approx(1, abs=1e-5)
        assert scores["mse"].to_numpy() == pytest.approx(0, abs=1e-10)
        assert scores["undefined"].eq("").all()
    assert np.isnan(result.runs.set_index("model").loc["truth", "seconds"])


def test_a_recipe_may_return_rows_and_genes_in_any_order(adata, bench, scores_of, table_of):
    class Turned:
        def predict(self, perturbations, *, controls):
            asked = perturbations.iloc[::-1]
            inner = StoredPrediction(table_of(adata)).predict(asked, controls=controls)
            return inner[:, ::-1].copy()

    result = bench(adata, {"turned": lambda cells, seed: Turned()})
    assert scores_of(result, "turned")["pearson_delta"].to_numpy() == pytest.approx(1, abs=1e-5)


def test_predictors_are_fitted_by_the_benchmark(adata, bench, graph, scores_of, tmp_path):
    neighbors = NeighborsBaseline(graphs=graph, k=3)
    everything = adata.copy()
    everything.obs["split"] = "train"
    seen = MeanBaseline().fit(everything)
    models = {"neighbors": neighbors, "mean": "mean", "seen": seen, "ridge": RidgeBaseline()}
    result = bench(adata, models, folder=tmp_path)
    assert (result.runs["status"] == "done").all()
    assert not neighbors.is_fitted
    recipe = partial(tx.tl.fit_baseline, kind="neighbors", graphs=graph, k=3)
    again = bench(adata, {"recipe": recipe})
    for one, other in (
        (scores_of(result, "neighbors"), scores_of(again, "recipe")),
        (scores_of(result, "seen"), scores_of(result, "mean")),
    ):
        np.testing.assert_allclose(one[ALL_METRICS], other[ALL_METRICS])

    class Failing(MeanBaseline):
        def fit(self, data):
            raise AssertionError

    stored = bench(adata, models, folder=tmp_path)
    pd.testing.assert_frame_equal(stored.scores, result.scores)
    failed = bench(adata, {"x": Failing()}).runs.set_index("model").loc["x"]
    assert failed["status"] == "failed"


def test_missing_genes_are_named_before_anything_is_fitted(adata, bench, table_of):
    fitted = []
    models = {"other": lambda *_: fitted.append(1), "short": table_of(adata)[:, 2:].copy()}
    names = ", ".join(adata.var_names[:2])
    with pytest.raises(ValueError, match=f"'short' lacks 2 of the 60 genes, {names}"):
        bench(adata, models)
    assert not fitted


def test_missing_rows_of_a_recipe_fail_its_run_by_name(adata, bench, tested):
    class Short:
        def predict(self, perturbations, *, controls):
            obs, context = controls.conditions(perturbations.iloc[2:])
            return controls.prediction(obs, context, controls.mean[context] + 0.1)

    result = bench(adata, {"short": lambda *_: Short()})
    run = result.runs.set_index("model").loc["short"]
    assert run["status"] == "failed"
    assert "lacks 2 condition(s)" in run["reason"]
    assert tested(adata)[0] in run["reason"]


def test_rows_that_cannot_be_scored_say_why(adata, bench, table_of, tested, scores_of):
    first, second, third = tested(adata)
    cases = {
        "missing": ("no prediction", table_of(adata, [second, third])),
        "empty": ("no prediction", table_of(adata)),
        "partial": ("the prediction is NaN or infinite for 1 of 60 genes", table_of(adata)),
        "constant": ("the prediction is the same change for all genes", table_of(adata)),
        "zero": ("the prediction is no change at all", table_of(adata)),
    }
    spoil = {"empty": np.nan, "constant": 0.25, "zero": 0.0}
    for name, (_, table) in cases.items():
        rows = (table.obs["perturbation"] == first).to_numpy()
        if name in spoil:
            table.layers["delta"][rows] = spoil[name]
        elif name == "partial":
            table.layers["delta"][rows, 7] = np.inf
    result = bench(adata, {name: table for name, (_, table) in cases.items()})
    for name, (reason, _) in cases.items():
        scores = scores_of(result, name)
        assert scores.loc[first, "undefined"] == reason
        assert np.isnan(scores.loc[first, ["pearson_delta", "retrieval"]].astype(float)).all()
        assert scores.loc[[second, third], list(ALL_METRICS)].notna().all(axis=None)
        summary = result.summary("pearson_delta").set_index("model").loc[name]
        assert (summary["n"], summary["n_undefined"]) == (2, 1)
        assert f"1 of 3 scores undefined: {reason}" in summary["note"]
    zero = scores_of(result, "zero").loc[first]
    assert np.isnan(zero["direction_accuracy"])
    assert zero["mse"] > 0


def test_nothing_that_was_asked_for(adata, bench, table_of, tested):
    other = table_of(adata, tested(adata, "train"))
    result = bench(adata, {"other": other})
    run = result.runs.set_index("model").loc["other"]
    assert run["status"] == "failed"
    assert "predicts none of the 3 perturbations" in run["reason"]


def test_other_scales_are_found_out(adata, bench, table_of):
    counts, scores = table_of(adata), table_of(adata)
    sd = adata.X.toarray().std(axis=0)
    counts.layers["delta"] = np.expm1(counts.X) - np.expm1(counts.layers["control"])
    scores.layers["delta"] = scores.layers["delta"] / (sd / 2)
    result = bench(adata, {"counts": counts, "z": scores})
    reasons = result.runs.set_index("model")["reason"]
    assert "on another scale (counts?)" in reasons["counts"]
    assert "on another scale (z-scores?)" in reasons["z"]
    assert result.runs.set_index("model").loc["general", "status"] == "done"


def test_without_delta(adata, bench, table_of):
    table = table_of(adata)
    del table.layers["delta"]
    with pytest.raises(KeyError, match=r"no layers\['delta'\]"):
        bench(adata, {"x": table})

    class Plain:
        def predict(self, perturbations, *, controls):
            return ad.AnnData(np.ones((len(perturbations), 60)))

    result = bench(adata, {"plain": lambda *_: Plain()})
    assert "no layers['delta']" in result.runs.set_index("model").loc["plain", "reason"]


def test_a_prediction_belongs_to_one_split(adata, bench, table_of):
    truth = table_of(adata)
    with pytest.raises(ValueError, match="'x' is a prediction for one split, and there are 2"):
        bench(adata, {"x": truth}, "unseen_perturbation", [0, 1])
    result = bench(adata, {"x": truth}, seeds=[0, 1])
    assert result.runs["status"].eq("done").all()
    result = bench(adata, {"x": lambda *_: StoredPrediction(truth)}, "unseen_perturbation", [0, 1])
    assert result.summary("pearson_delta")["mean"][0] == pytest.approx(1, abs=1e-5)


def test_a_prediction_for_all_batches(adata, bench, table_of, scores_of):
    delta, obs = average_over_batches(table_of(adata).layers["delta"], table_of(adata).obs)
    pooled = ad.AnnData(
        obs=pd.DataFrame({"perturbation": obs["perturbation"].astype(str)}).rename(index=str),
        var=adata.var[[]],
        layers={"delta": delta},
    )
    scores = scores_of(bench(adata, {"pooled": pooled}), "pooled")
    assert scores["pearson_delta"].to_numpy() == pytest.approx(1, abs=1e-5)
