import numpy as np
import pytest

from txpert.data._group_sums import group_sums
from txpert.evaluation._sampled import CountModel, draw_counts


def test_counts_are_multinomial():
    """Sizes are kept; means, variances and the covariance of two genes are the multinomial's."""
    share, library = np.array([0.5, 0.3, 0.15, 0.05]), np.array([10, 40, 0])
    rng = np.random.default_rng(0)
    draws = np.stack([draw_counts(share, library, rng) for _ in range(20_000)])
    assert draws.shape[1:] == (4, 3)
    assert (draws.sum(axis=1) == library).all()
    for cell, n in enumerate(library):
        np.testing.assert_allclose(draws[..., cell].mean(axis=0), n * share, atol=0.1)
        covariance = np.cov(draws[..., cell].T)
        expected = n * (np.diag(share) - np.outer(share, share))
        np.testing.assert_allclose(covariance, expected, atol=0.25)
    between = np.corrcoef(draws[:, 0, 0], draws[:, 0, 1])[0, 1]
    assert abs(between) < 0.03


@pytest.mark.parametrize("entries", [2**20, 50])
def test_sampled_cells_are_normalized_as_the_data(adata, screen_of, monkeypatch, entries):
    """One gene per condition: every draw is its counts again, so both data sets are the data."""
    monkeypatch.setattr("txpert.evaluation._sampled._ENTRIES_PER_DRAW", entries)
    _, condition, _ = screen_of(adata)
    cells = np.arange(adata.n_obs)
    counts = np.zeros(adata.shape)
    counts[cells, condition % adata.n_vars] = cells % 7
    X = np.log1p(counts * (1 + cells[:, None] % 5))
    model = CountModel.fit(counts, X, condition, condition.max() + 1)
    group = np.arange(len(model.pool))
    for data_set in model.sums(group, len(group), np.random.default_rng(0)):
        np.testing.assert_allclose(data_set, group_sums(X, condition, len(group)))


def test_deep_cells_without_noise_are_drawn_as_they_are():
    rng = np.random.default_rng(0)
    condition = np.array([0, 1, 1, 0, 1])
    share = rng.dirichlet(np.full(8, 9.0), size=2)[condition]
    counts = (share * 100_000 * np.arange(1, 6)[:, None]).round()
    X = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 4_000)
    model = CountModel.fit(counts, X, condition, 2)
    for data_set in model.sums(np.array([1, 0]), 2, rng):
        np.testing.assert_allclose(data_set, group_sums(X, 1 - condition, 2), rtol=0.01)


def test_scale_is_that_of_the_data_after_genes_were_dropped(adata, screen_of):
    library = np.asarray(adata.layers["counts"].sum(axis=1)).ravel()
    kept = adata[:, :20].copy()
    screen, condition, _ = screen_of(kept)
    model = CountModel.fit(kept.layers["counts"], screen.X, condition, condition.max() + 1)
    measured = model.library > 0
    np.testing.assert_allclose(model.scale[measured], 4_000 / library[measured], rtol=1e-4)
