import numpy as np
import pytest
from sklearn import metrics as sk

from txpert.metrics import mae, mse, rmse

METRICS = {
    mse: sk.mean_squared_error,
    rmse: sk.root_mean_squared_error,
    mae: sk.mean_absolute_error,
}


@pytest.mark.parametrize("metric", METRICS)
def test_agrees_with_sklearn_on_all_and_on_masked_genes(random_deltas, metric):
    pred, truth = random_deltas()
    mask = np.random.default_rng(2).random(pred.shape) < 0.5
    rows = list(zip(pred, truth, mask, strict=True))
    expected = [METRICS[metric](t, p) for p, t, _ in rows]
    np.testing.assert_allclose(metric(pred, truth), expected)
    expected = [METRICS[metric](t[m], p[m]) for p, t, m in rows]
    np.testing.assert_allclose(metric(pred, truth, genes=mask), expected)


@pytest.mark.parametrize("metric", METRICS)
def test_no_gene_is_undefined(random_deltas, metric):
    pred, truth = random_deltas(n=2)
    mask = np.array([[False], [True]]) & np.ones(pred.shape, dtype=bool)
    assert np.isnan(metric(pred, truth, genes=mask)).tolist() == [True, False]


def test_large_float32_input_loses_no_digits():
    pred, truth = np.full((1, 10), 1e4, np.float32), np.full((1, 10), 1e4 + 0.5, np.float32)
    assert mse(pred, truth) == 0.25
