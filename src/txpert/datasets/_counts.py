"""Counts of simulated cells, and what to expect of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import betainc

from txpert._constants import TARGET_SUM
from txpert._types import FloatArray, IntArray

from ._parameters import SimulationParameters

Float32Array = FloatArray

_BLOCK = 1_000_000
_LARGE_MEAN = 16.0


def draw_counts(
    rng: np.random.Generator,
    context_rate: Float32Array,
    fold: Float32Array,
    context: IntArray,
    condition: IntArray,
    settings: SimulationParameters,
) -> sparse.csr_matrix:
    """Draw negative binomial counts, a block of cells at a time.

    Parameters
    ----------
    rng
        Random numbers.
    context_rate
        Expression of unperturbed cells, any scale, shape ``(n_contexts, n_genes)``.
    fold
        Fold changes, shape ``(n_conditions, n_genes)``.
    context, condition
        Rows of these of each cell, shape ``(n_cells,)``.
    settings
        Depth and dispersion.

    Returns
    -------
    Cells × genes, float32; memory is that of the result and one block of a million values.
    """
    n_cells, n_genes = len(context), fold.shape[1]
    depth = settings.depth * np.exp(settings.depth_sd * rng.standard_normal(n_cells))
    data, column = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int32)
    n_stored = np.zeros(n_cells + 1, dtype=np.int64)
    step = max(1, _BLOCK // n_genes)
    for start in range(0, n_cells, step):
        rows = slice(start, start + step)
        mean = context_rate[context[rows]] * fold[condition[rows]]
        mean *= (depth[rows] / mean.sum(axis=1)).astype(np.float32)[:, None]
        at, counts = _negative_binomial(rng, mean.ravel(), settings.dispersion)
        n_stored[rows.start + 1 : rows.stop + 1] = np.bincount(at // n_genes, minlength=len(mean))
        end = len(data)
        # Grown in place: joining blocks at the end would take the memory twice.
        data.resize(end + len(at), refcheck=False)
        column.resize(end + len(at), refcheck=False)
        data[end:], column[end:] = counts, at % n_genes
    return sparse.csr_matrix((data, column, n_stored.cumsum()), shape=(n_cells, n_genes))


def _negative_binomial(
    rng: np.random.Generator, mean: Float32Array, dispersion: float
) -> tuple[IntArray, Float32Array]:
    """Draw one count for each mean; return the positions of the non-zeros and their values.

    Small means by inversion of the distribution, which settles most entries, the zeros, with one
    uniform number each; large ones as a Poisson count of a gamma rate.
    """
    r = np.float32(dispersion)
    probability = np.exp(-r * np.log1p(mean / r))
    uniform = rng.random(len(mean), dtype=np.float32)
    large = np.flatnonzero(mean > _LARGE_MEAN)
    uniform[large] = 0
    at = np.flatnonzero(uniform > probability)
    counts = np.ones(len(at), dtype=np.float32)
    active = np.arange(len(at))
    uniform, probability, ratio = uniform[at], probability[at], mean[at] / (mean[at] + r)
    uniform -= probability
    for k in range(1, 1_000):
        probability = probability * ratio * ((r + (k - 1)) / k)
        uniform = uniform - probability
        more = np.flatnonzero((uniform > 0) & (probability > 1e-9))
        if not len(more):
            break
        active, ratio = active[more], ratio[more]
        uniform, probability = uniform[more], probability[more]
        counts[active] += 1
    drawn = rng.poisson(mean[large] * rng.standard_gamma(dispersion, len(large)) / dispersion)
    at = np.concatenate([at, large[drawn > 0]])
    order = np.argsort(at, kind="stable")
    return at[order], np.concatenate([counts, drawn[drawn > 0]]).astype(np.float32)[order]


def expected_expression(share: npt.ArrayLike, settings: SimulationParameters) -> FloatArray:
    r"""Return the mean over cells of log1p-normalized counts, without noise.

    .. math:: F(q) = \mathbb E_{d} \, \mathbb E_{n \sim \mathrm{NB}(q d)}
              \log(1 + 4000\, n / d),

    which is below :math:`\log(1 + 4000 q)`: the logarithm of a rare count is not that of its mean.

    Parameters
    ----------
    share
        Fraction of each gene in the cell's RNA, any shape; 0 to 1.
    settings
        Depth :math:`d` is log-normal, counts :math:`n` are negative binomial.

    Returns
    -------
    Expected expression, the same shape: :math:`F` on a grid, interpolated in between.
    """
    share = np.asarray(share, dtype=np.float64)
    lowest = max(share.min(initial=1.0, where=share > 0), 1e-12)
    grid = np.geomspace(lowest, max(share.max(initial=lowest), 1.01 * lowest), 100)
    # Counts in bins: single ones, then ever wider; a bin's counts are taken for its middle.
    edges = np.unique(np.rint(np.concatenate([np.arange(1, 31), np.geomspace(31, 1e6, 90)])))
    middle = np.concatenate([[0], (edges[:-1] + edges[1:] - 1) / 2, edges[-1:]])
    r = settings.dispersion
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    expected = np.zeros(len(grid))
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        depth = settings.depth * np.exp(settings.depth_sd * node)
        mean = grid[:, None] * depth
        at_least = betainc(edges, r, mean / (mean + r))
        chance = -np.diff(at_least, axis=1, prepend=1.0, append=0.0)
        expected += weight * chance @ np.log1p(TARGET_SUM * middle / depth)
    return np.interp(np.log(np.maximum(share, lowest)), np.log(grid), expected)
