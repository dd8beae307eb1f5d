"""Which parameters the covariance has, and what is expected of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

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
_SPREADS = (2.0, 1.0, 1.5, 1.0, 1.5, 3.0, 1.0)
"""Of each of the parameters, in their order."""


class Parameters(NamedTuple):
    """The parameters of a block, or numbers that go with them: log variances, slopes, spreads.

    Attributes
    ----------
    total
        Variance of all kernels, ``(1,)``; the others are relative to it, or to the noise.
    kernels
        Of each kernel, ``(n_kernels,)``.
    context
        Of each context factor after the first, for the kernels, ``(n_factors - 1,)``.
    own
        A gene's own part, ``(1,)``.
    own_context, mean
        Of each context factor after the first, for own parts and for the mean effect.
    noise
        By context, none if there is one, ``(n_contexts,)``.
    """

    total: FloatArray
    kernels: FloatArray
    context: FloatArray
    own: FloatArray
    own_context: FloatArray
    mean: FloatArray
    noise: FloatArray

    def joined(self) -> FloatArray:
        """Return them in a row, as :meth:`Layout.split` takes them apart."""
        return np.concatenate(self)


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
        center = Parameters(
            total=np.log([_TOTAL]),
            kernels=np.log(np.asarray(weights) / (np.sum(weights) or 1.0)),
            context=expected,
            own=np.log([_OWN]),
            own_context=expected,
            mean=np.zeros(extra),
            noise=np.zeros(noises),
        )
        spread = Parameters(*(np.full(len(c), s) for c, s in zip(center, _SPREADS, strict=True)))
        for factor in factors.fixed:
            for of_factors in (spread.context, spread.own_context, spread.mean):
                of_factors[factor - 1] = _FIXED
        return LogPrior(center.joined(), spread.joined())

    def split(self, x: FloatArray) -> Parameters:
        """Take a vector of parameters apart."""
        k, extra = self.n_kernels, self.n_factors - 1
        return Parameters(*np.split(x, np.cumsum([1, k, extra, 1, extra, extra])))

    def read(self, x: FloatArray) -> Variances:
        """Return variances from their logarithms."""
        total, kernels, context, own, own_context, mean, noise = self.split(np.exp(x))
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

    @property
    def of_one_target(self) -> float:
        """Prior variance of what is specific to a target; kernels are 1 on the diagonal."""
        return float(self.kernels.sum() * self.context.sum() + self.own.sum())
