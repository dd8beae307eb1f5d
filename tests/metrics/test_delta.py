import numpy as np
import pytest

from txpert.metrics import against_perturbed_mean, pearson_delta
from txpert.metrics._delta import check_scale


def test_weights_are_numbers_of_cells():
    delta = np.array([[1.0, 2.0], [3.0, 4.0]])
    train = np.array([[0.0, 0.0], [1.0, 4.0]])
    np.testing.assert_allclose(against_perturbed_mean(delta, train), delta - [0.5, 2.0])
    weighted = against_perturbed_mean(delta, train, weights=[1, 3])
    np.testing.assert_allclose(weighted, delta - [0.75, 3.0])


def test_a_shared_response_no_longer_earns_a_correlation():
    rng = np.random.default_rng(0)
    shared = 5 * rng.normal(size=200)
    train, truth = (shared + rng.normal(size=(50, 200)) for _ in range(2))
    guess = np.tile(train.mean(axis=0), (50, 1)) + 0.1 * rng.normal(size=(50, 200))
    assert pearson_delta(guess, truth).mean() > 0.9
    centered = (against_perturbed_mean(values, train) for values in (guess, truth))
    assert abs(pearson_delta(*centered).mean()) < 0.05


@pytest.mark.parametrize(
    ("reference", "weights", "message"),
    [
        (np.zeros((2, 4)), None, "same genes"),
        (np.zeros(3), None, "same genes"),
        (np.zeros((0, 3)), None, "reference is empty"),
        (np.zeros((2, 3)), [1, -1], "none negative"),
        (np.zeros((2, 3)), [0, 0], "not all zero"),
        (np.zeros((2, 3)), [1, np.nan], "none negative"),
        (np.zeros((2, 3)), [1], "each of the 2 rows"),
    ],
)
def test_references_that_do_not_fit(reference, weights, message):
    with pytest.raises(ValueError, match=message):
        against_perturbed_mean(np.zeros((5, 3)), reference, weights=weights)


def test_counts_are_found_out_by_size_and_log_values_never_are():
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(0.3, 20, size=500), size=(20, 500))
    logs = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 4_000)
    check_scale(logs[:10] - logs[10:])
    check_scale(np.array([[np.log1p(4_000.0), np.nan]], np.float32))
    with pytest.raises(ValueError, match=r"Δ is -?\d+ in row \d+, .* by more than 8\.29"):
        check_scale(counts[:10] - counts[10:])


def test_the_place_of_the_largest_is_told_and_the_bound_follows_the_target_sum():
    delta = np.zeros((3, 4))
    delta[2, 1] = -9.0
    check_scale(delta, target_sum=10_000)
    with pytest.raises(ValueError, match=r"Δ is -9 in row 2, column 1, .* 4000 per cell"):
        check_scale(delta)
    with pytest.raises(ValueError, match=r"conditions × genes.* shape \(4,\)"):
        check_scale(delta[0])
