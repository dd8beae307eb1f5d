"""Which parameters the covariance has, and what is expected of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from txpert._types import FloatArray

from ._contexts import ContextFactors
from ._variances import LogPrior

_TOTAL = 3.0
"""Expected variance of all kernels, relative to the noise."""
_OWN = 0.01
"""Expected variance of a gene's own part, relative to that of all kernels."""
_FIXED = 1e-3
"""Spread of what the data say nothing of."""
_SPREADS = {"total": 2.0, "kernel": 1.0, "context": 1.5, "own": 1.0, "mean": 3.0, "noise": 1.0}


@dataclass(frozen=True)
class Layout:
    """Where parameters stand in the vector of log variances.

    Attributes
    ----------
    n_kernels, n_factors, n_contexts
        Numbers of kernels between genes, of context factors and of contexts.
    """

    n_kernels: int
    n_factors: int
    n_contexts: int

    def prior(self, weights: FloatArray, factors: ContextFactors) -> LogPrior:
        """Return the prior.

        Parameters
        ----------
        weights
            Expected relative variances of the kernels.
        factors
            Context factors. Those that training contexts do not tell apart stay as expected.
        """
        extra = self.n_factors - 1
        expected = np.log(factors.expected[1:])
        noises = self.n_contexts if self.n_contexts > 1 else 0
        parts = [
            ("total", np.log([_TOTAL])),
            ("kernel", np.log(np.asarray(weights) / (np.sum(weights) or 1.0))),
            ("context", expected),
            ("own", np.log([_OWN])),
            ("context", expected),
            ("mean", np.full(extra, 0.0)),
            ("noise", np.zeros(noises)),
        ]
        center = np.concatenate([values for _, values in parts])
        spread = np.concatenate([np.full(len(v), _SPREADS[name]) for name, v in parts])
        for factor in factors.fixed:
            for first in (1 + self.n_kernels, 2 + self.n_kernels + extra):
                spread[first + factor - 1] = _FIXED
            spread[2 + self.n_kernels + 2 * extra + factor - 1] = _FIXED
        return LogPrior(center, spread)

    def read(self, x: FloatArray) -> Variances:
        """Return variances from their logarithms."""
        k, extra = self.n_kernels, self.n_factors - 1
        at = np.cumsum([1, k, extra, 1, extra, extra])
        total, kernels, context, own, own_context, mean, noise = np.split(np.exp(x), at)
        scaled = total * np.r_[1.0, context]
        return Variances(
            kernels,
            scaled,
            total * own * np.r_[1.0, own_context],
            np.r_[0.0, mean],
            noise / np.exp(np.log(noise).mean()) if len(noise) else np.ones(self.n_contexts),
        )


@dataclass(frozen=True)
class Variances:
    """Variances in units of the noise.

    Attributes
    ----------
    kernels
        Of each kernel, ``(n_kernels,)``, to be multiplied by one of the next.
    context, own, mean
        Of what each context factor goes with: the kernels, a gene's own part, and the mean
        effect, ``(n_factors,)``.
    noise
        By context.
    """

    kernels: FloatArray
    context: FloatArray
    own: FloatArray
    mean: FloatArray
    noise: FloatArray
