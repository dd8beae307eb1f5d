import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpert.evaluation._halves import draw_halves, split_half_deltas


def test_halves_give_the_deltas_of_their_cells(two_lines, screen_of, delta_of):
    """Each half by itself, through the pseudobulk table of an AnnData of its cells."""
    screen, condition, observations = screen_of(two_lines)
    pairs = list(split_half_deltas(screen.X, observations, condition, n_repeats=2, seed=4))
    for repeat, pair in enumerate(pairs):
        half = draw_halves(condition, np.random.default_rng([4, repeat]))
        for side, found in enumerate(pair):
            delta, _ = delta_of(two_lines[half == side].copy())
            np.testing.assert_allclose(found, delta, atol=1e-5)
    assert not np.allclose(pairs[0][0], pairs[1][0])


def test_few_repeats_per_pass_change_nothing(two_lines, screen_of, monkeypatch):
    screen, condition, observations = screen_of(two_lines)

    def first_halves():
        pairs = split_half_deltas(screen.X, observations, condition, n_repeats=3, seed=0)
        return np.stack([pair[0] for pair in pairs])

    at_once = first_halves()
    monkeypatch.setattr("txpert.evaluation._halves._BYTES_PER_PASS", 1)
    np.testing.assert_array_equal(at_once, first_halves())


@given(
    condition=st.lists(st.integers(0, 6), min_size=1, max_size=60),
    seed=st.integers(0, 2**32),
)
def test_halves_are_equal_and_hold_every_cell_once(condition, seed):
    condition = np.array(condition)
    half = draw_halves(condition, np.random.default_rng(seed))
    assert set(half) <= {0, 1}
    size = np.bincount(condition)
    first = np.bincount(condition[half == 0], minlength=len(size))
    assert (np.abs(2 * first - size) == size % 2).all()


def test_every_cell_and_every_odd_cell_falls_on_either_side():
    condition = np.repeat([0, 1, 2], [1, 3, 10])
    draws = [draw_halves(condition, np.random.default_rng(seed)) for seed in range(2_000)]
    np.testing.assert_allclose(np.mean(draws, axis=0), 0.5, atol=0.05)
    first = [np.sum(half[1:4] == 0) for half in draws]
    assert np.mean(np.equal(first, 1)) == pytest.approx(0.5, abs=0.05)
    together = np.mean([half[4] == half[5] for half in draws])
    assert together == pytest.approx(4 / 9, abs=0.05)


def test_a_cell_left_out_is_in_neither_half(adata, screen_of):
    screen, condition, observations = screen_of(adata)
    out = adata.obs["perturbation"].to_numpy() == adata.obs["perturbation"].iloc[0]
    out &= ~adata.obs["control"].to_numpy()
    used = np.where(out, -1, condition)
    first, second = next(split_half_deltas(screen.X, observations, used, n_repeats=1, seed=0))
    missing = np.isnan(first).all(axis=1)
    assert (
        missing.tolist()
        == observations.obs["perturbation"].isin(adata.obs["perturbation"][out]).tolist()
    )
    np.testing.assert_array_equal(np.isnan(first), np.isnan(second))


def test_infinite_expression_is_named(adata, screen_of):
    screen, condition, observations = screen_of(adata)
    label = observations.obs["perturbation"].iloc[2]
    cell = np.flatnonzero(adata.obs["perturbation"] == label)[0]
    X = screen.X.toarray()
    X[cell, 4] = np.inf
    with pytest.raises(ValueError, match=f"infinite in 1 of {len(X)} cells, such as cell {cell}"):
        next(split_half_deltas(X, observations, condition, n_repeats=1, seed=0))
