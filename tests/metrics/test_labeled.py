"""Labels of frames, series and AnnData decide over positions."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txpert import metrics

ROWS = {
    "pearson_delta": metrics.pearson_delta,
    "spearman_delta": metrics.spearman_delta,
    "cosine_delta": metrics.cosine_delta,
    "mse": metrics.mse,
    "rmse": metrics.rmse,
    "mae": metrics.mae,
    "direction_accuracy": metrics.direction_accuracy,
    "retrieval": metrics.retrieval,
    "centroid_accuracy": metrics.centroid_accuracy,
}


def frames(seed=0, n=6, n_genes=12):
    rng = np.random.default_rng(seed)
    labels, genes = [f"P{i}" for i in range(n)], [f"G{i}" for i in range(n_genes)]
    truth = pd.DataFrame(rng.normal(size=(n, n_genes)), labels, genes)
    return truth + 0.5 * rng.normal(size=truth.shape), truth


@pytest.mark.parametrize("name", ROWS)
@settings(max_examples=10)
@given(seed=st.integers(0, 1_000))
def test_the_order_of_labels_does_not_matter(name, seed):
    pred, truth = frames(seed)
    rng = np.random.default_rng(seed)
    turned = pred.iloc[rng.permutation(len(pred)), rng.permutation(pred.shape[1])]
    expected = ROWS[name](pred.to_numpy(), truth.to_numpy())
    np.testing.assert_allclose(ROWS[name](turned, truth), expected)
    stored = ad.AnnData(
        obs=pd.DataFrame(index=turned.index), var=pd.DataFrame(index=turned.columns)
    )
    stored.layers["delta"] = turned.to_numpy()
    np.testing.assert_allclose(ROWS[name](stored, truth), expected)


@pytest.mark.parametrize("name", ROWS)
def test_other_labels_are_refused(name):
    pred, truth = frames()
    with pytest.raises(ValueError, match="same genes: one of them lacks 1, 'G0'"):
        ROWS[name](pred.rename(columns={"G0": "X"}), truth)
    with pytest.raises(ValueError, match="same conditions: one of them has besides 1, 'P5'"):
        ROWS[name](pred, truth.iloc[:-1])
    with pytest.raises(ValueError, match="'P1' occurs more than once"):
        ROWS[name](pred.rename(index={"P0": "P1"}), truth)


def test_masks_follow_their_labels():
    pred, truth = frames()
    turned = pred.iloc[:, ::-1]
    mask = pd.Series(np.arange(12) < 5, index=truth.columns)
    expected = metrics.mse(pred.to_numpy(), truth.to_numpy(), genes=mask.to_numpy())
    np.testing.assert_allclose(metrics.mse(turned, truth, genes=mask[::-1]), expected)
    wide = pd.DataFrame(np.tile(mask, (6, 1)), truth.index, truth.columns)
    np.testing.assert_allclose(metrics.mse(turned, truth, genes=wide.iloc[::-1]), expected)
    with pytest.raises(ValueError, match="the mask of genes has no labels"):
        metrics.mse(turned, truth, genes=mask.to_numpy())


def test_references_and_series_are_aligned():
    pred, truth = frames()
    other = frames(1)[1].rename(index=str.lower)
    expected = metrics.retrieval(pred.to_numpy(), truth.to_numpy(), reference=other.to_numpy())
    found = metrics.retrieval(pred, truth, reference=other.iloc[:, ::-1])
    np.testing.assert_array_equal(found, expected)
    mean = metrics.against_perturbed_mean(truth, other.iloc[:, ::-1])
    np.testing.assert_allclose(mean, truth - other.mean(axis=0))
    ours = pd.Series([0.1, 0.3, 0.2, 0.5], index=list("abcd"))
    test = metrics.paired_test(ours, ours[::-1])
    assert (test.difference, test.low, test.high) == (0, 0, 0)
    with pytest.raises(ValueError, match="same labels"):
        metrics.paired_test(ours, ours.rename({"a": "z"}))


def test_constant_but_for_single_precision_is_undefined():
    _, truth = frames()
    shift = np.float32(8.3) + np.zeros(truth.shape, np.float32)
    shift[:, 0] = np.nextafter(shift[:, 0], np.float32(9))
    assert np.isnan(metrics.pearson_delta(shift, truth.to_numpy())).all()
    assert np.isnan(metrics.retrieval(shift, truth.to_numpy())).all()


def test_retrieval_over_some_genes_is_that_of_these_genes():
    pred, truth = (frame.to_numpy() for frame in frames())
    mask = np.arange(12) < 7
    for metric in (metrics.retrieval, metrics.centroid_accuracy):
        expected = metric(pred[:, mask], truth[:, mask], reference=pred[::-1][:, mask])
        found = metric(pred, truth, reference=pred[::-1], genes=mask, reference_genes=mask)
        np.testing.assert_allclose(found, expected)
