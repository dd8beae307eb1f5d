"""The summary of scores written down by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wilcoxon

import txpert as tx
from txpert.evaluation._metrics import score_names

NAN = np.nan
SCORES = {
    # seed: perturbation: score. B is tested under both seeds.
    "base": {0: {"A": 0.1, "B": 0.2, "C": NAN}, 1: {"B": 0.4, "D": 0.1, "E": 0.2, "F": 0.3}},
    "good": {0: {"A": 0.5, "B": 0.4, "C": 0.9}, 1: {"B": 0.8, "D": 0.6, "E": 0.5, "F": 0.7}},
    "same": {0: {"A": 0.1, "B": 0.2, "C": NAN}, 1: {"B": 0.4, "D": 0.1, "E": 0.2, "F": 0.3}},
    "none": {0: dict.fromkeys("ABC", NAN), 1: dict.fromkeys("BDEF", NAN)},
}

ALL_METRICS = score_names()


def make(baseline="base"):
    rows = [
        {"model": model, "seed": seed, "fold": "", "perturbation": p, "score": score}
        for model, seeds in SCORES.items()
        for seed, scores in seeds.items()
        for p, score in scores.items()
    ]
    frame = pd.DataFrame(rows)
    scores = frame.drop(columns="score").assign(cell_line="K562", n_cells=5)
    scores["group"] = np.where(scores["perturbation"] < "C", "seen", "unseen")
    for metric in ALL_METRICS:
        scores[metric] = frame["score"]
    scores["undefined"] = np.where(frame["score"].isna(), "a reason", "")
    runs = frame[["model", "seed", "fold"]].drop_duplicates()
    empty = pd.DataFrame(columns=["kind", "seed", "fold", "perturbation", "cell_line"])
    return tx.BenchmarkResult(scores, runs, empty, None, baseline)


def test_means_spreads_and_numbers():
    row = make().summary("pearson_delta").set_index("model").loc["good"]
    values = [0.5, 0.4, 0.9, 0.8, 0.6, 0.5, 0.7]
    assert row["mean"] == pytest.approx(np.mean(values))
    assert row["sd"] == pytest.approx(np.std([1.8 / 3, 2.6 / 4], ddof=1))
    assert row["low"] < row["mean"] < row["high"]
    assert (row["n"], row["n_undefined"], row["n_seeds"], row["note"]) == (6, 0, 2, "")


def test_the_interval_resamples_perturbations_with_their_seeds():
    """Repeating all scores under another seed does not make the interval narrower."""
    once = make()
    twice = once.scores.assign(seed=once.scores["seed"] + 2)
    both = tx.BenchmarkResult(
        pd.concat([once.scores, twice]), once.runs, once.ceiling, None, "base"
    )
    columns = ["mean", "low", "high", "p_value"]
    np.testing.assert_allclose(
        both.summary("mse")[columns].astype(float), once.summary("mse")[columns].astype(float)
    )


def test_where_each_perturbation_has_one_score_the_interval_is_that_of_metrics():
    result = make()
    kept = result.scores[result.scores["seed"] == 1]
    one = tx.BenchmarkResult(kept, result.runs, result.ceiling, None, "base")
    row = one.summary("pearson_delta").set_index("model").loc["good"]
    expected = tx.metrics.bootstrap_interval([0.8, 0.6, 0.5, 0.7], n_resamples=1_999)
    assert (row["mean"], row["low"], row["high"]) == pytest.approx(expected[:3])
    assert np.isnan(row["sd"])
    assert row["note"] == "no sd of one seed"


def test_differences_are_paired_and_corrected():
    table = make().summary("pearson_delta").set_index("model")
    paired = [0.4, 0.2, 0.4, 0.5, 0.3, 0.4]  # C has no score of the baseline
    assert table.loc["good", "difference"] == pytest.approx(np.mean(paired))
    p = wilcoxon([0.4, 0.3, 0.5, 0.3, 0.4]).pvalue  # B once, averaged over its seeds
    assert table.loc["good", "p_value"] == pytest.approx(p)
    assert table.loc["good", "p_adjusted"] == pytest.approx(min(2 * p, 1))
    assert table.loc["same", ["difference", "p_value"]].tolist() == [0, 1]
    assert np.isnan(table.loc["base", ["difference", "p_value", "p_adjusted"]].astype(float)).all()
    assert make(None).summary("mse")["p_value"].isna().all()


def test_what_is_undefined_is_counted_with_its_reason():
    table = make().summary("pearson_delta").set_index("model")
    row = table.loc["none"]
    assert np.isnan(
        row[["mean", "sd", "low", "high", "difference", "p_value"]].astype(float)
    ).all()
    assert (row["n"], row["n_undefined"]) == (0, 6)
    assert row["note"] == "7 of 7 scores undefined: a reason"
    assert (table.loc["base", "n"], table.loc["base", "n_undefined"]) == (5, 1)
    assert table.loc["base", "note"] == "1 of 7 scores undefined: a reason"


def test_by_group():
    table = make().summary(["mse", "retrieval"], by="group")
    assert list(table["metric"].unique()) == ["mse", "retrieval"]
    row = table.set_index(["metric", "group", "model"]).loc[("mse", "seen", "good")]
    assert row["mean"] == pytest.approx(np.mean([0.5, 0.4, 0.8]))
    assert row["n"] == 2
    with pytest.raises(KeyError, match="by takes 'group', 'cell_line' or 'fold'"):
        make().summary(by="batch")
