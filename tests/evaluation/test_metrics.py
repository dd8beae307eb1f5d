"""The registry of metrics, scores without targets, and genes that were not measured."""

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.evaluation import register_metric
from txpert.evaluation._metrics import METRICS, metric_of, score_names
from txpert.evaluation._scoring import measured_genes, score

GENES = pd.Index([f"G{i}" for i in range(12)])


def case(seed=0):
    rng = np.random.default_rng(seed)
    obs = pd.DataFrame({"perturbation": ["G0", "G1+G3", "X"], "cell_line": "K", "n_cells": 5})
    other = pd.DataFrame({"perturbation": ["G5", "Y"], "cell_line": "K", "n_cells": 5})
    return rng.normal(size=(3, 12)), rng.normal(size=(3, 12)), obs, rng.normal(size=(2, 12)), other


def test_each_score_stands_with_and_without_targets():
    predicted, observed, obs, reference, other = case()
    names = score_names()
    assert len(names) == 2 * len(METRICS)
    table = score(predicted, observed, obs, reference, other, GENES, names)
    assert table[names].notna().all(axis=None)
    kept = np.ones((3, 12), dtype=bool)
    kept[0, 0] = kept[1, 1] = kept[1, 3] = False
    for name in ("pearson_delta", "mse", "direction_accuracy"):
        metric = getattr(tx.metrics, name)
        one = [metric(predicted[[i]][:, k], observed[[i]][:, k])[0] for i, k in enumerate(kept)]
        np.testing.assert_allclose(table[f"{name}_without_targets"], one)
        np.testing.assert_allclose(table[name], metric(predicted, observed))
    same = table.loc[2]  # its target was not measured
    for name in ("pearson_delta", "mse", "pearson_delta_top20"):
        assert same[name] == pytest.approx(same[f"{name}_without_targets"])


def test_the_own_gene_is_all_that_a_prediction_knows():
    _, observed, obs, reference, other = case()
    observed[0, 0] = reference[0, 5] = -9
    predicted = np.random.default_rng(1).normal(size=observed.shape) / 10
    predicted[0, 0] = -9
    names = score_names()
    row = score(predicted, observed, obs, reference, other, GENES, names).loc[0]
    assert row["pearson_delta"] > 0.8
    assert abs(row["pearson_delta_without_targets"]) < 0.7
    assert row["retrieval"] == 1
    changed = predicted.copy()
    changed[0, 0] = 5
    again = score(changed, observed, obs, reference, other, GENES, names).loc[0]
    without = [name for name in names if name.endswith("_without_targets")]
    pd.testing.assert_series_equal(row[without].astype(float), again[without].astype(float))


def test_genes_that_a_line_did_not_measure():
    predicted, observed, obs, reference, other = case()
    obs["cell_line"] = ["K", "R", "R"]
    other["cell_line"] = ["K", "R"]
    observed[0, 7:] = reference[0, 7:] = 0
    observed[1, 11] = np.nan
    observed[:, 6] = reference[:, 6] = 0  # in no line, so nothing says that it was not measured
    own, theirs = measured_genes(observed, obs, reference, other)
    assert own.sum(axis=1).tolist() == [7, 11, 12]
    assert theirs.sum(axis=1).tolist() == [7, 12]
    names = score_names()
    table = score(predicted, observed, obs, reference, other, GENES, names)
    assert table.loc[0, "mse"] == pytest.approx(((predicted - observed)[0, :7] ** 2).mean())
    assert table.loc[1, "mse"] == pytest.approx(np.nanmean((predicted - observed)[1] ** 2))
    predicted[0, 7:] = 99
    again = score(predicted, observed, obs, reference, other, GENES, names)
    pd.testing.assert_frame_equal(table.loc[[0]], again.loc[[0]])


def test_a_metric_is_added_in_one_place():
    table = tx.evaluation.show()
    assert list(table.index) == list(METRICS)
    assert table["description"].str.endswith(".").all()
    try:

        @register_metric("largest", label="largest Δ")
        def _largest(rows):
            """Largest predicted Δ."""
            return np.abs(np.where(rows.genes, rows.predicted, 0)).max(axis=1)

        assert {"largest", "largest_without_targets"} <= set(score_names())
        assert "largest" not in score_names(main=True)
        predicted, observed, obs, reference, other = case()
        found = score(predicted, observed, obs, reference, other, GENES, ["largest"])
        np.testing.assert_allclose(found["largest"], np.abs(predicted).max(axis=1))
        with pytest.raises(ValueError, match=r"already the metric 'largest', .*_largest; take"):
            register_metric("largest", label="")(np.mean)
    finally:
        METRICS.pop("largest", None)
    with pytest.raises(KeyError, match="no metric 'largest'; there are pearson_delta"):
        metric_of("largest")
