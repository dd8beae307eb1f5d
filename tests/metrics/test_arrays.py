"""What all metrics that score row by row have in common."""

import numpy as np
import pytest
from scipy import sparse

from txpert import metrics
from txpert.metrics import _arrays as arrays
from txpert.metrics._retrieval import retrieval_scores

ROW_METRICS = [
    metrics.pearson_delta,
    metrics.spearman_delta,
    metrics.cosine_delta,
    metrics.mse,
    metrics.rmse,
    metrics.mae,
    metrics.direction_accuracy,
]
PAIRED = [*ROW_METRICS, metrics.retrieval, retrieval_scores, metrics.centroid_accuracy]
parametrize = pytest.mark.parametrize("metric", ROW_METRICS)


@parametrize
def test_cells_are_scored_against_the_prediction_of_their_condition(random_deltas, metric):
    pred, _ = random_deltas(n=3)
    cells, _ = random_deltas(n=8, seed=1)
    mask = metrics.top_genes(pred, 5)
    index = np.array([2, 0, 0, 1, 2, 2, 2, 0])
    np.testing.assert_array_equal(
        metric(pred, cells, genes=mask, index=index), metric(pred[index], cells, genes=mask[index])
    )


@parametrize
def test_blocks_of_rows_make_no_difference(random_deltas, monkeypatch, metric):
    pred, truth = random_deltas(n=11)
    mask, index = metrics.top_genes(truth, 7), np.arange(11)[::-1]
    whole = metric(pred, truth, genes=mask), metric(pred, truth, genes=mask, index=index)
    monkeypatch.setattr(arrays, "_BLOCK_VALUES", 4 * 30)
    np.testing.assert_array_equal(metric(pred, truth, genes=mask), whole[0])
    np.testing.assert_array_equal(metric(pred, truth, genes=mask, index=index), whole[1])


@parametrize
def test_nan_and_infinity_count_only_where_a_gene_does(random_deltas, metric):
    pred, truth = random_deltas(n=4)
    clean = metric(pred, truth, genes=np.arange(30) > 0)
    pred[1, 0], truth[2, 0], truth[3, 0] = np.nan, np.nan, np.inf
    np.testing.assert_allclose(metric(pred, truth, genes=np.arange(30) > 0), clean)
    assert np.isnan(metric(pred, truth)[:3]).tolist() == [False, True, True]


@pytest.mark.parametrize("metric", ROW_METRICS[:3])
def test_correlation_with_an_infinite_value_is_undefined(random_deltas, metric):
    pred, truth = random_deltas(n=3)
    pred[1, 0], truth[2, 4] = np.inf, -np.inf
    assert np.isnan(metric(pred, truth)).tolist() == [False, True, True]
    everywhere = np.ones(pred.shape, dtype=bool)
    everywhere[:, -1] = False
    assert np.isnan(metric(pred, truth, genes=everywhere)).tolist() == [False, True, True]


@parametrize
def test_float32_gives_float64_and_inputs_stay_as_they_are(random_deltas, metric):
    pred, truth = (values.astype(np.float32) for values in random_deltas())
    before = pred.copy(), truth.copy()
    scores = metric(pred, truth)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, metric(pred.astype(float), truth.astype(float)))
    np.testing.assert_array_equal(pred, before[0])
    np.testing.assert_array_equal(truth, before[1])


@parametrize
def test_no_conditions_have_no_scores_and_no_genes_undefined_ones(metric):
    assert metric(np.zeros((0, 4)), np.zeros((0, 4))).shape == (0,)
    assert np.isnan(metric(np.zeros((2, 0)), np.zeros((2, 0)))).tolist() == [True, True]


@pytest.mark.parametrize("metric", PAIRED)
def test_shapes_must_match(metric):
    with pytest.raises(ValueError, match=r"n_conditions, n_genes.*\(3, 4\) and \(4, 3\)"):
        metric(np.zeros((3, 4)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match="n_conditions, n_genes"):
        metric(np.zeros((3, 4)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="n_conditions, n_genes"):
        metric(np.zeros(4), np.zeros(4))
    with pytest.raises(ValueError, match="toarray"):
        metric(sparse.csr_matrix(np.zeros((3, 4))), np.zeros((3, 4)))


@parametrize
def test_masks_must_be_boolean_and_fit(random_deltas, metric):
    pred, truth = random_deltas(n=3)
    for mask in (np.arange(30), np.ones((3, 4), bool), np.ones((1, 30), bool), np.ones(3, bool)):
        with pytest.raises(ValueError, match=r"mask of genes must be boolean .* \(3, 30\)"):
            metric(pred, truth, genes=mask)


@parametrize
def test_an_index_must_point_at_predictions(random_deltas, metric):
    pred, truth = random_deltas(n=3)
    with pytest.raises(ValueError, match="index has 3, but there are 3 conditions"):
        metric(pred, truth, index=[0, 1, 3])
    with pytest.raises(ValueError, match="index has -1"):
        metric(pred, truth, index=[0, -1, 2])
    with pytest.raises(ValueError, match="each of the 3 rows"):
        metric(pred, truth, index=[0, 1])
    with pytest.raises(ValueError, match=r"whole number.*float64"):
        metric(pred, truth, index=[0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="n_conditions, n_genes"):
        metric(pred[:, :5], truth, index=[0, 1, 2])
