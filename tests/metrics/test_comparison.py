import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from txpert.metrics import bootstrap_interval, holm, paired_test


def test_agrees_with_scipy_on_the_pairs_that_are_complete():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 60))
    a[3], b[8] = np.nan, np.nan
    complete = ~np.isnan(a - b)
    result = paired_test(a, b, level=0.8)
    assert result.p_value == stats.wilcoxon(a[complete], b[complete]).pvalue
    assert result.difference == pytest.approx(np.mean(a[complete] - b[complete]))
    assert (result.n, result.n_undefined) == (58, 2)
    assert result[1:3] == bootstrap_interval(a - b, level=0.8)[1:3]


def test_pairing_finds_a_small_gain_in_scores_that_vary_much():
    rng = np.random.default_rng(0)
    hard = rng.normal(size=100)
    result = paired_test(hard + 0.1 + 0.05 * rng.normal(size=100), hard)
    assert result.p_value < 1e-9
    assert 0.08 < result.low < 0.1 < result.high < 0.12


def test_equal_models_no_pairs_and_scores_that_do_not_pair():
    scores = np.linspace(0, 1, 8)
    same = paired_test(scores, scores)
    assert same == (0, 0, 0, 1, 8, 0)
    nothing = paired_test([np.nan, 1.0], [1.0, np.nan])
    assert np.isnan(nothing[:4]).all()
    assert nothing[4:] == (0, 2)
    with pytest.raises(ValueError, match="there are 3 and 2 scores"):
        paired_test([1.0, 2.0, 3.0], [1.0, 2.0])


def test_holm_worked_by_hand():
    np.testing.assert_allclose(holm([0.02, 0.01, 0.5, 0.02]), [0.06, 0.04, 0.5, 0.06])
    np.testing.assert_allclose(holm([0.02, np.nan, 0.9]), [0.04, np.nan, 0.9])
    np.testing.assert_allclose(holm([0.8, 0.9]), [1.0, 1.0])
    assert holm([]).shape == (0,)


@settings(max_examples=15)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_lies_between_none_and_bonferroni(p_values):
    adjusted, raw = holm(p_values), np.array(p_values)
    assert (adjusted >= raw).all()
    assert (adjusted <= np.minimum(1, raw * len(raw))).all()
    assert (np.diff(adjusted[raw.argsort(kind="stable")]) >= 0).all()


def test_what_is_no_p_value():
    with pytest.raises(ValueError, match=r"P values must lie between 0 and 1"):
        holm([0.1, 1.2])
