import numpy as np
import pytest

from txpert.metrics import pearson_delta
from txpert.metrics._reliability import correlation_with_truth, spearman_brown


@pytest.mark.parametrize("factor", [2, 5])
def test_formulas_agree_with_simulated_measurements(factor):
    """Signal plus noise, one row each: means of ``factor`` measurements against one another."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(1, 200_000))
    noise = 1.5 * rng.normal(size=(2 * factor, truth.shape[1]))
    measured = truth + noise
    small = pearson_delta(measured[:1], measured[1:2])
    means = [measured[i::2].mean(axis=0, keepdims=True) for i in range(2)]
    large = spearman_brown(small, factor)
    assert large[0] == pytest.approx(pearson_delta(*means)[0], abs=0.01)
    expected = pearson_delta(means[0], truth)[0]
    assert correlation_with_truth(large)[0] == pytest.approx(expected, abs=0.01)


def test_worked_by_hand():
    r = np.array([[-0.5, 0.0], [0.25, 1.0]])
    np.testing.assert_allclose(spearman_brown(r), [[-2.0, 0.0], [0.4, 1.0]])
    np.testing.assert_allclose(spearman_brown(r, 1), r)
    np.testing.assert_allclose(correlation_with_truth(r), [[np.nan, 0.0], [0.5, 1.0]])


def test_outside_of_their_range_both_are_undefined():
    assert np.isnan(spearman_brown([-1.0, np.nan])).all()
    assert np.isnan(spearman_brown(-0.4, 4))
    assert np.isnan(correlation_with_truth(-0.1))
    with pytest.raises(ValueError, match="at least 1, not 0"):
        spearman_brown(0.3, 0.5)
