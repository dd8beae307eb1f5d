import numpy as np
import pytest
from sklearn.linear_model import Ridge

from txpert.effects._smoother import Smoother, penalties, rotated

RNG = np.random.default_rng(0)
N, D, G = 12, 5, 20
X, Y, WEIGHT = RNG.normal(size=(N, D)), RNG.normal(size=(N, G)), RNG.uniform(0.2, 5, N)
ORDER = RNG.integers(1, 3, N).astype(float)


def by_definition(kernel, weight, trend, y, penalty):
    """Return α and b from the inverse of the covariance."""
    inverse = np.linalg.inv(kernel + penalty * np.diag(1 / weight))
    mean = (trend @ inverse @ y) / (trend @ inverse @ trend)
    return inverse @ (y - np.outer(trend, mean)), mean


@pytest.fixture(params=["few features", "many features"])
def case(request):
    features = X if request.param == "few features" else np.hstack([X, RNG.normal(size=(N, 30))])
    return features @ features.T, Smoother.from_features(features, WEIGHT, ORDER)


@pytest.mark.parametrize("penalty", [0.01, 1.0, 100.0])
def test_fit(case, penalty):
    kernel, smoother = case
    alpha, mean = smoother.fit(Y, penalty)
    expected = by_definition(kernel, WEIGHT, ORDER, Y, penalty)
    np.testing.assert_allclose(alpha, expected[0], atol=1e-8)
    np.testing.assert_allclose(mean, expected[1], atol=1e-8)


@pytest.mark.parametrize("penalty", [0.3, 30.0])
def test_ridge_of_scikit_learn(penalty):
    smoother = Smoother.from_features(X, WEIGHT, np.ones(N))
    alpha, mean = smoother.fit(Y, penalty)
    ridge = Ridge(alpha=penalty).fit(X, Y, sample_weight=WEIGHT)
    np.testing.assert_allclose(X.T @ alpha, ridge.coef_.T, atol=1e-8)
    np.testing.assert_allclose(mean, ridge.intercept_, atol=1e-8)


@pytest.mark.parametrize("penalty", [0.01, 1.0, 100.0])
def test_leave_one_out_against_refitting(case, penalty):
    kernel, smoother = case
    residuals = smoother.loo_residuals(Y, penalty)
    for i in range(N):
        rest = np.arange(N) != i
        alpha, mean = by_definition(
            kernel[np.ix_(rest, rest)], WEIGHT[rest], ORDER[rest], Y[rest], penalty
        )
        expected = Y[i] - ORDER[i] * mean - kernel[i, rest] @ alpha
        np.testing.assert_allclose(residuals[i], expected, atol=1e-7)
    assert smoother.loo_error(rotated(Y), penalty) == pytest.approx((residuals**2).sum())


def test_the_grid_is_wide_and_follows_the_units():
    smoother = Smoother.from_features(X, np.ones(N), np.ones(N))
    larger = Smoother.from_features(10 * X, np.ones(N), np.ones(N))
    np.testing.assert_allclose(penalties(larger.scale), 100 * penalties(smoother.scale))
    alpha, mean = smoother.fit(Y, penalties(smoother.scale)[-1])
    np.testing.assert_allclose(X.T @ alpha, 0, atol=1e-2)
    np.testing.assert_allclose(mean, Y.mean(axis=0), atol=1e-2)
