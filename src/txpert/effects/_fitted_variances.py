"""Variances of a fit, for another one to keep or to begin from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from txpert._types import FloatArray

from ._contexts import ContextFactors
from ._layout import Layout, Parameters

_ABSENT = -30.0
"""Log variance of a kernel that the earlier fit did not have."""


@dataclass(frozen=True)
class FittedVariances:
    """Log variances by block of directions, and what they belong to.

    Attributes
    ----------
    log_variances
        ``(n_blocks, n_parameters)``.
    kernels
        Names of the kernels.
    contexts
        Context factors.
    """

    log_variances: FloatArray
    kernels: list[str]
    contexts: ContextFactors

    def carried(self, kernels: list[str], contexts: ContextFactors, n_blocks: int) -> FloatArray:
        """Return log variances for another fit, ``(n_blocks, n_parameters)``.

        Blocks beyond those of the earlier fit take the variances of its last block of components,
        what is orthogonal to all components keeps its own, and new contexts take the mean noise
        of the others.
        """
        last = len(self.log_variances) - 1
        of_block = [min(block, max(last - 1, 0)) for block in range(n_blocks - 1)] + [last]
        return np.array([self._translated(b, kernels, contexts) for b in of_block])

    def _translated(self, block: int, kernels: list[str], contexts: ContextFactors) -> FloatArray:
        """Return the log variances of a block in the layout of other kernels and contexts."""
        layout = Layout(len(self.kernels), len(self.contexts.names), len(self.contexts.contexts))
        old = layout.split(self.log_variances[block])
        by_kernel = dict(zip(self.kernels, old.kernels, strict=True))
        expected = dict(zip(contexts.names, np.log(contexts.expected), strict=True))

        def of_factors(values: FloatArray, otherwise: dict[str, float]) -> FloatArray:
            known = dict(zip(self.contexts.names[1:], values, strict=True))
            return np.array([known.get(name, otherwise[name]) for name in contexts.names[1:]])

        noises = len(old.noise) > 0
        by_context = dict(zip(self.contexts.contexts, old.noise, strict=True)) if noises else {}
        usual = float(np.mean(old.noise)) if noises else 0.0
        several = contexts.contexts if len(contexts.contexts) > 1 else []
        return Parameters(
            total=old.total,
            kernels=np.array([by_kernel.get(name, _ABSENT) for name in kernels]),
            context=of_factors(old.context, expected),
            own=old.own,
            own_context=of_factors(old.own_context, expected),
            mean=of_factors(old.mean, dict.fromkeys(contexts.names, 0.0)),
            noise=np.array([by_context.get(c, usual) for c in several]),
        ).joined()
