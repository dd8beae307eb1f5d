"""Variance components by penalized restricted likelihood (REML)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from txpert._types import FloatArray

from ._cholesky import factorized

_TOLERANCE = 1e-5
"""Relative change of the cost at which to stop."""
_MOST_STEPS = 60
_NARROW = 1 / 4
"""Columns per row up to which effects are faster to work with than their squares."""


Covariance = Callable[[FloatArray], tuple[FloatArray, Callable[[FloatArray], FloatArray]]]
"""The covariance for log variances, and what turns a derivative by it into that by these."""
Projected = tuple[float, FloatArray]
"""tr(P Y Yᵀ) and P Y Yᵀ P."""


@dataclass(frozen=True)
class LogPrior:
    """Normal priors of logarithms.

    Attributes
    ----------
    center, spread
        Means and standard deviations, ``(n_parameters,)``.
    """

    center: FloatArray
    spread: FloatArray

    def cost(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Return −log density up to a constant, and its gradient."""
        away = (x - self.center) / self.spread
        return float(away @ away) / 2, away / self.spread

    @property
    def bounds(self) -> FloatArray:
        """Four standard deviations either way, but a factor of 400 at most."""
        width = np.minimum(4 * self.spread, 6.0)
        return np.stack([self.center - width, self.center + width], axis=1)


@dataclass(frozen=True)
class RestrictedLikelihood:
    r"""The restricted likelihood of some rows, for any covariance.

    The rows of Y are :math:`y_i = u_i b + f_i + \varepsilon_i` with
    :math:`\operatorname{Cov}(f + \varepsilon) = \sigma^2 C(x)`; b, of a flat prior, is integrated
    out and σ² set to its best value.

    Attributes
    ----------
    covariance
        C for x, ``(n, n)``, and what turns the derivative by C into that by x.
    trend
        u, ``(n,)``.
    project
        What a projector P makes of Y: tr(P Y Yᵀ) and P Y Yᵀ P.
    """

    covariance: Covariance
    trend: FloatArray
    project: Callable[[FloatArray], Projected]

    @classmethod
    def of(
        cls, covariance: Covariance, trend: FloatArray, effects: FloatArray
    ) -> RestrictedLikelihood:
        """Return that of effects, ``(n, n_columns)``."""
        narrow = effects.shape[1] <= _NARROW * len(effects)
        return cls(covariance, trend, _narrow(effects) if narrow else _wide(effects))

    def deviance(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Return −2 × its logarithm per column, up to a constant, and the gradient by x."""
        matrix, by_parameter = self.covariance(x)
        deviance, by_covariance = _deviance(matrix, self.trend, self.project)
        return deviance, by_parameter(by_covariance)


def fit_log_variances(
    likelihoods: Sequence[RestrictedLikelihood],
    evidence: float,
    prior: LogPrior,
    start: FloatArray,
) -> FloatArray:
    """Maximize restricted likelihoods times the prior.

    Parameters
    ----------
    likelihoods
        Of groups of rows; their logarithms are added.
    evidence
        Number of independent columns that effects are taken for.
    prior
        Of x.
    start
        Where to begin.

    Returns
    -------
    The best x.
    """

    def cost(x: FloatArray) -> tuple[float, FloatArray]:
        deviances, slopes = zip(*(of_group.deviance(x) for of_group in likelihoods), strict=True)
        against, slope = prior.cost(x)
        return evidence / 2 * sum(deviances) + against, evidence / 2 * sum(slopes) + slope

    options = {"ftol": _TOLERANCE, "maxiter": _MOST_STEPS}
    found = minimize(
        cost, start, jac=True, method="L-BFGS-B", bounds=prior.bounds, options=options
    )
    return np.asarray(found.x)


def inverse_and_projector(
    covariance: FloatArray, trend: FloatArray
) -> tuple[FloatArray, FloatArray, float]:
    """Return C⁻¹, C⁻¹ less its part along the trend, and log |C| + log uᵀC⁻¹u.

    The covariance is overwritten.
    """
    factor = factorized(covariance)
    log_determinant = factor.log_determinant
    inverse = factor.inverse()
    along = inverse @ trend
    precision = float(trend @ along)
    projector = inverse - np.outer(along, along) / precision
    return inverse, projector, log_determinant + float(np.log(precision))


def _narrow(effects: FloatArray) -> Callable[[FloatArray], Projected]:
    def project(projector: FloatArray) -> Projected:
        projected = projector @ effects
        return float(np.vdot(effects, projected)), projected @ projected.T

    return project


def _wide(effects: FloatArray) -> Callable[[FloatArray], Projected]:
    squares = effects @ effects.T
    of_single = squares.astype(np.float32)

    def project(projector: FloatArray) -> Projected:
        single = projector.astype(np.float32)
        return float(np.vdot(projector, squares)), single @ of_single @ single

    return project


def _deviance(
    covariance: FloatArray, trend: FloatArray, project: Callable[[FloatArray], Projected]
) -> tuple[float, FloatArray]:
    """Return −2 × the restricted log-likelihood per column, and its gradient by C."""
    _, projector, log_determinant = inverse_and_projector(covariance, trend)
    free = len(trend) - 1
    residual, squares = project(projector)
    return free * np.log(residual) + log_determinant, projector - free / residual * squares
