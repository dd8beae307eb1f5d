"""Weighted sums of components, worked out a few conditions at a time."""

import numpy as np
import pytest

from txpert.model import _weighted_sum
from txpert.model._calibration import Calibration
from txpert.model._weighted_sum import apply_curves, weighted_sum

N, N_GENES = 23, 40


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(params=[1, 7 * N_GENES, 10_000])
def blocks(request, monkeypatch):
    monkeypatch.setattr(_weighted_sum, "_ENTRIES", request.param)


@pytest.fixture
def terms(rng):
    first, other, third = rng.standard_normal((3, N, N_GENES)).astype(np.float32)
    scale, half, tenth = rng.uniform(0, 1, (3, N)).astype(np.float32)
    return first, scale, {"other": (other, half), "third": (third, tenth)}


@pytest.fixture
def curve():
    at = np.linspace(-0.5, 0.8, 11)
    return Calibration(-0.5, 0.8, tuple((at + 0.2 * np.sin(3 * at)).tolist()))


def summed(first, scale, others):
    terms = [scale[:, None] * first]
    terms += [weight[:, None] * (delta - first) for delta, weight in others.values()]
    return sum(terms), [np.linalg.norm(term, axis=1) for term in terms]


def test_sum_and_norms_are_those_of_the_definition(blocks, terms):
    total = np.empty((N, N_GENES), dtype=np.float32)
    norms, diverged = weighted_sum(*terms, [], total)
    expected, expected_norms = summed(*terms)
    np.testing.assert_allclose(total, expected, atol=1e-5)
    np.testing.assert_allclose(norms, expected_norms, rtol=1e-5)
    assert diverged == []


def test_what_is_not_finite_is_left_out_of_its_conditions_only(blocks, terms):
    first, scale, others = terms
    others["third"][0][[4, 20], 3] = np.nan, np.inf
    total = np.empty((N, N_GENES), dtype=np.float32)
    norms, diverged = weighted_sum(first, scale, others, [], total)
    weight = others["third"][1].copy()
    weight[[4, 20]] = 0
    finite = np.nan_to_num(others["third"][0], posinf=0)
    expected, _ = summed(first, scale, others | {"third": (finite, weight)})
    np.testing.assert_allclose(total, expected, atol=1e-5)
    assert diverged == ["third"]
    assert norms[2][[4, 20]].tolist() == [0, 0]


def test_each_condition_has_its_own_calibration(blocks, terms, curve, rng):
    chosen = rng.random(N) < 0.5
    total = np.empty((N, N_GENES), dtype=np.float32)
    weighted_sum(*terms, [(curve, chosen)], total)
    expected, _ = summed(*terms)
    np.testing.assert_allclose(total[~chosen], expected[~chosen], atol=1e-5)
    np.testing.assert_allclose(total[chosen], curve(expected[chosen]), atol=1e-5)
    apply_curves(expected, [(curve, chosen)])
    np.testing.assert_allclose(total, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_calibration_interpolates_between_knots(curve, rng, dtype):
    values = rng.uniform(-1, 1.2, (50, 7)).astype(dtype)
    at = np.linspace(curve.low, curve.high, len(curve.expected))
    bend = np.interp(values, at, np.array(curve.expected) - at)
    np.testing.assert_allclose(curve(values), values + bend, atol=1e-6)
    np.testing.assert_array_equal(curve(values.T), curve(values).T)
    assert curve(values).dtype == dtype


def test_a_calibration_of_one_value_moves_all_alike():
    found = Calibration(0.1, 0.1, (0.3,) * 5)(np.float32([-1, 0.1, 2]))
    np.testing.assert_allclose(found, [-0.8, 0.3, 2.2], rtol=1e-6)
