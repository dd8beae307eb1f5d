"""How much of the variance of effects each kernel accounts for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import linalg
from scipy.optimize import minimize

from txpert._types import FloatArray

_EVIDENCE = 20
"""Measured genes vary together: their evidence is taken for that of so many independent ones."""
_TOTAL, _OWN = 3.0, 0.01
"""Expected variance of all kernels, relative to the noise, and of a gene's own part to theirs."""
_SPREAD = np.array([2.0, 1.0, 1.0])
"""Standard deviations of the logarithms of the total, of each share and of the own part."""
_STARTS = 0.01, 0.3
_BOUNDS = np.array([6.0, 3.0, 6.0])
"""What those logarithms may differ by from what is expected."""
_MAX_ROWS = 750
_TOLERANCE = 1e-6
"""Relative change of the cost at which to stop."""


def fit_variances(
    kernels: Sequence[FloatArray],
    own: FloatArray,
    noise: FloatArray,
    trend: FloatArray,
    y: FloatArray,
) -> FloatArray:
    r"""Estimate variance components by penalised restricted likelihood.

    The rows of Y are :math:`y_i = u_i b + f_i + \varepsilon_i`, with

    .. math:: \operatorname{Cov}(f + \varepsilon) = \sigma^2 \Big(\sum_k v_k K_k + v_0 I_0
              + N\Big).

    b, of a flat prior, and σ² are integrated out or set to their best value. The logarithms of
    :math:`v_k` have normal priors, which decide where rows are few: kernels are trusted three
    times as much as the noise says, and of that a hundredth is taken for what no kernel explains.

    Parameters
    ----------
    kernels
        :math:`K_k`, ``(n, n)``, with a mean diagonal of about 1.
    own
        :math:`I_0`, which rows of the same gene share, ``(n, n)``.
    noise
        Diagonal of N, ``(n,)``.
    trend
        u, ``(n,)``.
    y
        ``(n, n_genes)``.

    Returns
    -------
    :math:`v_1, \dots, v_K, v_0`. With more than 750 rows, evenly spaced ones are looked at.
    """
    if len(y) > _MAX_ROWS:
        rows = np.linspace(0, len(y) - 1, _MAX_ROWS).astype(int)
        block = np.ix_(rows, rows)
        kernels, own = [kernel[block] for kernel in kernels], own[block]
        noise, trend, y = noise[rows], trend[rows], y[rows]
    parts = [np.asarray(part, dtype=np.float64) for part in (*kernels, own)]
    number = len(kernels)
    spread, bounds = (
        np.r_[some[0], np.full(number, some[1]), some[2]] for some in (_SPREAD, _BOUNDS)
    )
    squares = y.astype(np.float64) @ y.T

    def variances(x: FloatArray) -> FloatArray:
        shares = np.exp(x[1:]) * np.r_[np.full(number, 1 / max(number, 1)), _OWN]
        return _TOTAL * np.exp(x[0]) * shares

    def cost(x: FloatArray) -> tuple[float, FloatArray]:
        v = variances(x)
        covariance = sum(a * part for a, part in zip(v, parts, strict=True)) + np.diag(noise)
        deviance, by_covariance = _deviance(covariance, trend, squares)
        by_log = v * [np.vdot(by_covariance, part) for part in parts]
        gradient = np.r_[by_log.sum(), by_log]
        penalised = _EVIDENCE * deviance + ((x / spread) ** 2).sum()
        return penalised / 2, _EVIDENCE * gradient / 2 + x / spread**2

    expected = np.zeros(number + 2)
    centred = y - np.outer(trend, trend @ y / (trend @ trend))
    if np.linalg.norm(centred) <= 1e-6 * np.linalg.norm(y):
        return variances(expected)
    limits = np.stack([-bounds, bounds], axis=1)
    options = {"ftol": _TOLERANCE}
    found = []
    for start in _STARTS:
        x = expected.copy()
        x[-1] = np.log(start / _OWN)
        found.append(
            minimize(cost, x, jac=True, method="L-BFGS-B", bounds=limits, options=options)
        )
    return variances(min(found, key=lambda result: result.fun).x)


def _deviance(
    covariance: FloatArray, trend: FloatArray, squares: FloatArray
) -> tuple[float, FloatArray]:
    """Return −2 × the restricted log-likelihood per gene, and its gradient by the covariance."""
    factor = linalg.cholesky(covariance, lower=True)
    inverse = np.tril(linalg.lapack.dpotri(factor, lower=True)[0])
    inverse += np.tril(inverse, -1).T
    along = inverse @ trend
    precision = trend @ along
    projector = inverse - np.outer(along, along) / precision
    free = len(trend) - 1
    residual = float(np.vdot(projector, squares))
    log_determinant = 2 * np.log(np.diagonal(factor)).sum() + np.log(precision)
    single = projector.astype(np.float32)
    gradient = projector - free / residual * (single @ squares.astype(np.float32) @ single)
    return free * np.log(residual) + log_determinant, gradient
