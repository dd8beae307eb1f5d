"""Ridge regression of many genes at once, with its leave-one-out error, in closed form.

``sklearn.linear_model.RidgeCV`` takes 2.4 times as long, and knows no trend that is not penalized
but an intercept (``benchmarks/libraries.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from txpert._types import FloatArray


@dataclass(frozen=True)
class Smoother:
    r"""Solves for all penalties λ from one decomposition.

    The model of the rows of Y is :math:`y_i = u_i b + f_i + \varepsilon_i`, where f has the kernel
    K, :math:`\varepsilon_i` the variance :math:`\lambda / w_i`, and b, a row of the mean effects,
    is not penalised. With :math:`C = K + \lambda W^{-1}`,

    .. math:: b = \frac{u^\top C^{-1} Y}{u^\top C^{-1} u}, \qquad
              \alpha = C^{-1} (Y - u b), \qquad \hat f = K \alpha.

    Attributes
    ----------
    vectors, values
        Eigenvectors of :math:`W^{1/2} K W^{1/2}`, shape ``(n, rank)``, and their eigenvalues.
    root
        Roots of the weights, shape ``(n,)``.
    trend
        u times those roots, shape ``(n,)``.
    """

    vectors: FloatArray
    values: FloatArray
    root: FloatArray
    trend: FloatArray

    @classmethod
    def from_features(
        cls, features: FloatArray, weight: FloatArray, trend: FloatArray
    ) -> Smoother:
        """Use the kernel XXᵀ of features, shape ``(n, n_features)``."""
        root = np.sqrt(weight)
        vectors, singular, _ = np.linalg.svd(root[:, None] * features, full_matrices=False)
        return cls(vectors, singular**2, root, root * trend)

    @property
    def scale(self) -> float:
        """Mean variance of f in units of the mean noise at λ = 1; what a grid of λ starts from."""
        return float(self.values.sum() / len(self.root)) or 1.0

    def fit(self, y: FloatArray, penalty: float) -> tuple[FloatArray, FloatArray]:
        """Return α, shape ``(n, n_genes)``, and b, shape ``(n_genes,)``."""
        residual, _, mean = self._solve(y, penalty)
        return self.root[:, None] * residual, mean

    def loo_residuals(self, y: FloatArray, penalty: float) -> FloatArray:
        """Return y minus what the other rows predict for it, shape ``(n, n_genes)``.

        The penalty stays the same; b is estimated again without the row.
        """
        residual, leverage, _ = self._solve(y, penalty)
        return residual / (self.root * leverage)[:, None]

    def loo_error(self, y: FloatArray, penalty: float) -> float:
        """Return the sum of the squared leave-one-out residuals."""
        return float((self.loo_residuals(y, penalty) ** 2).sum())

    def _solve(self, y: FloatArray, penalty: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the weighted residual operator applied to y, its diagonal, and b."""
        right = self.root[:, None] * y
        solved = self._inverse(right, penalty)
        column = self._inverse(self.trend[:, None], penalty)[:, 0]
        precision = self.trend @ column
        mean = column @ right / precision
        gain = 1 / (self.values + penalty) - 1 / penalty
        diagonal = self.vectors**2 @ gain + 1 / penalty - column**2 / precision
        return solved - np.outer(column, mean), diagonal, mean

    def _inverse(self, right: FloatArray, penalty: float) -> FloatArray:
        inner = self.vectors.T @ right
        gain = 1 / (self.values + penalty) - 1 / penalty
        return right / penalty + self.vectors @ (gain[:, None] * inner)


def penalties(scale: float) -> FloatArray:
    """Return the penalties that are tried: from a ten-thousandth of the scale to ten thousand."""
    return scale * np.logspace(-4, 4, 33)


def rotated(y: FloatArray) -> FloatArray:
    """Return y in no more columns than rows, with the same squared lengths of all its mixtures."""
    n, n_genes = y.shape
    if n >= n_genes:
        return y
    return np.asarray(np.linalg.qr(y.T, mode="r")).T
