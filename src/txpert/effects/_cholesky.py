"""Solutions and inverses of covariances, in place of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from txpert._accelerator import GpuFactor, worth_moving
from txpert._types import FloatArray

_AT_ONCE = 1_024


def factorized(covariance: FloatArray) -> Factor | GpuFactor:
    """Factorize a covariance, which is overwritten; a large one on the GPU, where there is one.

    Raises
    ------
    numpy.linalg.LinAlgError
        If it is not positive definite.
    """
    return GpuFactor.of(covariance) if worth_moving(covariance) else Factor.of(covariance)


@dataclass(frozen=True)
class Factor:
    """A Cholesky factor.

    Attributes
    ----------
    lower
        L with C = L Lᵀ, in Fortran's order; what is above the diagonal does not count.
    """

    lower: FloatArray

    @classmethod
    def of(cls, covariance: FloatArray) -> Factor:
        """Factorize a covariance, which is overwritten where it is in C's order.

        Raises
        ------
        numpy.linalg.LinAlgError
            If it is not positive definite.
        """
        lower, _ = linalg.cho_factor(
            covariance.T, lower=True, overwrite_a=True, check_finite=False
        )
        return cls(lower)

    def solve(self, right: FloatArray) -> FloatArray:
        """Return C⁻¹ times columns, which may be overwritten."""
        pair = self.lower, True
        return np.asarray(
            linalg.cho_solve(pair, right, overwrite_b=True, check_finite=False), dtype=right.dtype
        )

    @property
    def log_determinant(self) -> float:
        """Log |C|."""
        return 2 * float(np.log(np.diagonal(self.lower)).sum())

    def inverse(self) -> FloatArray:
        """Return C⁻¹; the factor is overwritten."""
        (invert,) = linalg.get_lapack_funcs(("potri",), (self.lower,))
        found = invert(self.lower, lower=True, overwrite_c=True)[0]
        for first in range(0, len(found), _AT_ONCE):
            last = first + _AT_ONCE
            corner = np.tril(found[first:last, first:last])
            found[first:last, first:last] = corner + np.tril(corner, -1).T
            found[first:last, last:] = found[last:, first:last].T
        return np.asarray(found)
