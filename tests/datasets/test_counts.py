import numpy as np
import pytest
from scipy.stats import chisquare, nbinom

from txpert.datasets import SimulationParameters
from txpert.datasets._counts import _negative_binomial, draw_counts, expected_expression


@pytest.mark.parametrize("dispersion", [0.5, 4.0, 1e6])
@pytest.mark.parametrize("mean", [0.05, 0.9, 5.0, 15.9, 30.0])
def test_counts_are_negative_binomial(mean, dispersion):
    n = 100_000
    rng = np.random.default_rng(0)
    at, values = _negative_binomial(rng, np.full(n, mean, np.float32), dispersion)
    counts = np.zeros(n)
    counts[at] = values
    assert (np.diff(at) > 0).all()
    assert values.min() >= 1
    known = nbinom(dispersion, dispersion / (dispersion + mean))
    k = np.arange(400)
    expected = known.pmf(k) * n
    often = expected > 20
    observed = np.bincount(counts.astype(int), minlength=400)[:400]
    tail = n - observed[often].sum(), n - expected[often].sum()
    observed, expected = np.append(observed[often], tail[0]), np.append(expected[often], tail[1])
    assert chisquare(observed, expected, sum_check=False).pvalue > 1e-4
    assert counts.var() == pytest.approx(known.var(), rel=0.06)


def test_blocks_make_no_difference_to_form(monkeypatch):
    monkeypatch.setattr("txpert.datasets._counts._BLOCK", 70)
    settings = SimulationParameters(depth=300.0, depth_sd=0.0, dispersion=1e5)
    rate = np.array([[1.0, 2.0, 3.0], [6.0, 0.0, 0.0]], dtype=np.float32)
    fold = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]], dtype=np.float32)
    context, condition = np.repeat([0, 0, 1], 50), np.repeat([0, 1, 0], 50)
    counts = draw_counts(np.random.default_rng(0), rate, fold, context, condition, settings)
    assert counts.has_canonical_format
    assert counts.dtype == np.float32
    means = counts.toarray().reshape(3, 50, 3).mean(axis=1)
    np.testing.assert_allclose(means, [[50, 100, 150], [100, 200, 0], [300, 0, 0]], rtol=0.05)


@pytest.mark.parametrize(("dispersion", "sd"), [(4.0, 0.4), (0.5, 0.0), (8.0, 0.3)])
def test_expected_expression_is_the_mean_of_many_cells(dispersion, sd):
    share = np.array([[1e-5, 1e-4, 1e-3], [0.01, 0.1, 0.0]])
    settings = SimulationParameters(depth=5_000.0, depth_sd=sd, dispersion=dispersion)
    rng = np.random.default_rng(0)
    depth = 5_000 * np.exp(sd * rng.standard_normal(300_000))
    expected = expected_expression(share, settings)
    assert expected.shape == (2, 3)
    for q, value in zip(share.ravel()[:-1], expected.ravel()[:-1], strict=True):
        counts = rng.poisson(q * depth * rng.gamma(dispersion, 1 / dispersion, len(depth)))
        cells = np.log1p(4_000 * counts / depth)
        assert value == pytest.approx(cells.mean(), abs=4 * cells.std() / 550 + 0.003 * value)
