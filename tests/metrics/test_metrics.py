import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from sklearn.metrics import mean_squared_error

from txpert.metrics import mse, pearson_delta, retrieval

ARRAYS = hnp.arrays(
    float, st.tuples(st.integers(1, 6), st.integers(2, 12)), elements=st.floats(-1e3, 1e3)
)


@given(truth=ARRAYS, seed=st.integers(0, 99))
@settings(deadline=None)
def test_pearson_delta_agrees_with_scipy(truth, seed):
    pred = truth + np.random.default_rng(seed).normal(size=truth.shape)
    scores = pearson_delta(pred, truth)
    for row, score in enumerate(scores):
        if np.ptp(truth[row]) < 1e-6 * max(1.0, np.abs(truth[row]).max()):
            continue
        assert score == pytest.approx(stats.pearsonr(pred[row], truth[row])[0], abs=1e-6)


def test_mse_agrees_with_sklearn(random_deltas):
    pred, truth = random_deltas()
    expected = [mean_squared_error(t, p) for p, t in zip(pred, truth, strict=True)]
    np.testing.assert_allclose(mse(pred, truth), expected)


def retrieval_by_definition(pred, truth, reference=()):
    everything = [*truth, *reference]
    scores = []
    for p, prediction in enumerate(pred):
        own = stats.pearsonr(prediction, truth[p])[0]
        others = [stats.pearsonr(prediction, q)[0] for i, q in enumerate(everything) if i != p]
        scores.append(np.mean([own >= r for r in others]))
    return scores


def test_retrieval_agrees_with_its_definition(random_deltas):
    pred, truth = random_deltas()
    reference = random_deltas(seed=1)[1]
    np.testing.assert_allclose(retrieval(pred, truth), retrieval_by_definition(pred, truth))
    np.testing.assert_allclose(
        retrieval(pred, truth, reference=reference),
        retrieval_by_definition(pred, truth, reference),
    )


def test_retrieval_worked_by_hand():
    truth = np.array([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0]])
    pred = np.array([[1.0, 0, 0, 0], [1.0, 0.5, 0, 0], [0, 2.0, 0.5, 1.0]])
    assert retrieval(pred, truth).tolist() == [1.0, 0.5, 0.5]


def test_fast_retrieval_is_unbiased_seeded_and_exact_when_the_sample_is_everyone(random_deltas):
    pred, truth = random_deltas(n=60)
    pred = pred - 0.8 * truth
    exact = retrieval(pred, truth)
    np.testing.assert_array_equal(retrieval(pred, truth, n_sampled=59), exact)
    np.testing.assert_array_equal(retrieval(pred, truth, n_sampled=500), exact)
    fast = [retrieval(pred, truth, n_sampled=20, seed=s) for s in range(200)]
    np.testing.assert_allclose(np.mean(fast, axis=0), exact, atol=0.03)
    assert not np.array_equal(fast[0], fast[1])
    np.testing.assert_array_equal(fast[3], retrieval(pred, truth, n_sampled=20, seed=3))


def test_chance_is_one_half():
    rng = np.random.default_rng(0)
    scores = retrieval(rng.normal(size=(300, 20)), rng.normal(size=(300, 20)))
    assert scores.mean() == pytest.approx(0.5, abs=0.05)


def test_constant_rows_are_undefined_not_zero():
    rng = np.random.default_rng(0)
    truth, pred = rng.normal(size=(2, 4, 9))
    pred[1] = 0.1
    truth[2] = 0.0
    assert np.isnan(pearson_delta(pred, truth)).tolist() == [False, True, True, False]
    assert np.isnan(retrieval(pred, truth)).tolist() == [False, True, True, False]
    assert np.isnan(retrieval(pred[:1], truth[:1])).all()


def test_scale_and_shift_do_not_change_the_correlation(random_deltas):
    pred, truth = random_deltas()
    np.testing.assert_allclose(pearson_delta(3 * pred + 2, truth), pearson_delta(pred, truth))
    np.testing.assert_allclose(pearson_delta(truth, truth), 1.0)


@pytest.mark.parametrize("metric", [pearson_delta, mse, retrieval])
def test_shapes_must_match(metric):
    with pytest.raises(ValueError, match="n_conditions, n_genes"):
        metric(np.zeros((3, 4)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match="n_conditions, n_genes"):
        metric(np.zeros(4), np.zeros(4))
