import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from scipy.spatial import distance

from txpert.metrics import cosine_delta, pearson_delta, spearman_delta

METRICS = {
    pearson_delta: lambda p, t: stats.pearsonr(p, t)[0],
    spearman_delta: lambda p, t: stats.spearmanr(p, t)[0],
    cosine_delta: lambda p, t: 1 - distance.cosine(p, t),
}
ARRAYS = hnp.arrays(
    float, st.tuples(st.integers(1, 6), st.integers(2, 12)), elements=st.floats(-1e3, 1e3)
)


@given(truth=ARRAYS, seed=st.integers(0, 99))
def test_pearson_delta_agrees_with_scipy(truth, seed):
    pred = truth + np.random.default_rng(seed).normal(size=truth.shape)
    scores = pearson_delta(pred, truth)
    for row, score in enumerate(scores):
        if np.ptp(truth[row]) < 1e-6 * max(1.0, np.abs(truth[row]).max()):
            continue
        assert score == pytest.approx(stats.pearsonr(pred[row], truth[row])[0], abs=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_agrees_with_scipy_on_ties_and_on_masked_genes(random_deltas, metric):
    pred, truth = (np.round(values * 2 + 1) for values in random_deltas())
    expected = [METRICS[metric](p, t) for p, t in zip(pred, truth, strict=True)]
    np.testing.assert_allclose(metric(pred, truth), expected)
    mask = np.random.default_rng(2).random(pred.shape) < 0.5
    expected = [METRICS[metric](p[m], t[m]) for p, t, m in zip(pred, truth, mask, strict=True)]
    np.testing.assert_allclose(metric(pred, truth, genes=mask), expected)


@pytest.mark.parametrize("metric", METRICS)
def test_constant_rows_are_undefined_not_zero(metric):
    truth, pred = np.random.default_rng(0).normal(size=(2, 5, 9))
    pred[1] = 0.0
    truth[2] = 0.0
    mask = np.ones(pred.shape, dtype=bool)
    mask[3] = False
    undefined = [False, True, True, True, False]
    assert np.isnan(metric(pred, truth, genes=mask)).tolist() == undefined


def test_a_constant_other_than_zero_has_a_cosine_and_no_correlation():
    pred, truth = np.full((1, 9), 0.1), np.arange(9.0)[None]
    assert np.isnan(pearson_delta(pred, truth))
    assert np.isnan(spearman_delta(pred, truth))
    np.testing.assert_allclose(cosine_delta(pred, truth), 36 / (3 * np.sqrt(204)))


def test_scale_and_shift_do_not_change_the_correlation(random_deltas):
    pred, truth = random_deltas()
    np.testing.assert_allclose(pearson_delta(3 * pred + 2, truth), pearson_delta(pred, truth))
    np.testing.assert_allclose(pearson_delta(truth, truth), 1.0)
    np.testing.assert_allclose(spearman_delta(np.exp(pred), truth), spearman_delta(pred, truth))
    np.testing.assert_allclose(cosine_delta(-3 * pred, truth), -cosine_delta(pred, truth))
