import warnings

import numpy as np
import pytest
from scipy import stats

from txpert.metrics import bootstrap_interval
from txpert.metrics._summary import mean_by_group


@pytest.mark.parametrize("level", [0.9, 0.99])
def test_interval_agrees_with_scipy(level):
    values = np.random.default_rng(0).exponential(size=40)
    interval = bootstrap_interval(values, level=level, n_resamples=20_000)
    expected = stats.bootstrap(
        (values,), np.mean, confidence_level=level, n_resamples=20_000, method="BCa"
    ).confidence_interval
    assert interval.mean == pytest.approx(values.mean())
    np.testing.assert_allclose([interval.low, interval.high], expected, rtol=0.02)
    symmetric = stats.norm.interval(level, values.mean(), values.std() / np.sqrt(40))
    assert interval.low > symmetric[0]
    assert interval.high > symmetric[1]


def test_nine_of_ten_intervals_cover_the_mean():
    rng = np.random.default_rng(0)
    intervals = [
        bootstrap_interval(rng.beta(2, 1, size=50), level=0.9, n_resamples=500, seed=seed)
        for seed in range(300)
    ]
    covered = np.mean([low <= 2 / 3 <= high for _, low, high, *_ in intervals])
    assert covered == pytest.approx(0.9, abs=0.05)


def test_nan_are_left_out_and_counted():
    values = np.random.default_rng(0).normal(size=10)
    interval = bootstrap_interval([*values, np.nan, np.nan])
    assert interval == bootstrap_interval(values)._replace(n_undefined=2)
    assert interval.n == 10


def test_seeds_repeat():
    values = np.random.default_rng(0).normal(size=10)
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)


def test_too_few_or_equal_scores():
    nothing = bootstrap_interval([np.nan])
    assert np.isnan(nothing[:3]).all()
    assert nothing[3:] == (0, 1)
    single = bootstrap_interval([0.3])
    assert single.mean == 0.3
    assert np.isnan([single.low, single.high]).all()
    assert bootstrap_interval([0.1] * 7) == pytest.approx((0.1, 0.1, 0.1, 7, 0))
    two = bootstrap_interval([0.0, 1.0])
    assert (two.low, two.high) == (0, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(bootstrap_interval([0.0, 1.0], n_resamples=1).low)


def test_bad_input():
    with pytest.raises(ValueError, match=r"not an array of shape \(1, 2\)"):
        bootstrap_interval([[0.1, 0.2]])
    with pytest.raises(ValueError, match=r"level must be a finite number above 0.* not 95"):
        bootstrap_interval([0.1, 0.2], level=95)
    with pytest.raises(ValueError, match="n_resamples must be a whole number of at least 1"):
        bootstrap_interval([0.1, 0.2], n_resamples=0)
    with pytest.raises(ValueError, match="infinite"):
        bootstrap_interval([0.1, np.inf])


def test_means_by_group():
    values = [1.0, 2.0, np.nan, 4.0, np.nan]
    means = mean_by_group(values, [2, 0, 0, 2, 1])
    np.testing.assert_array_equal(means, [2.0, np.nan, 2.5])
    means = mean_by_group(values, [2, 0, 0, 2, 1], n_groups=4)
    np.testing.assert_array_equal(means, [2.0, np.nan, 2.5, np.nan])
    assert mean_by_group([], np.empty(0, int)).shape == (0,)


def test_groups_that_do_not_exist():
    with pytest.raises(ValueError, match="index has 2, but there are 2 conditions"):
        mean_by_group([1.0, 2.0], [0, 2], n_groups=2)
    with pytest.raises(ValueError, match="index has -1"):
        mean_by_group([1.0, 2.0], [0, -1])
    with pytest.raises(ValueError, match="each of the 2"):
        mean_by_group([1.0, 2.0], [0])
