"""Covariances of perturbations asked for with training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from txpert._types import FloatArray

from ._contexts import Context
from ._covariance import Rows, Variances, membership


@dataclass(frozen=True)
class Asked:
    """Perturbations asked for.

    Attributes
    ----------
    rows
        Training rows.
    members
        How often a perturbation has a gene as target, ``(n_asked, n_genes)``.
    shared
        How many targets it shares with training rows, ``(n_asked, n_rows)``.
    factors
        Context factors, ``(n_factors, n_asked_contexts, n_contexts)``.
    context
        Position of each one's context.
    contexts
        Distinct contexts.
    """

    rows: Rows
    members: sparse.csr_array
    shared: sparse.coo_array
    factors: FloatArray
    context: npt.NDArray[np.int64]
    contexts: list[Context]

    @classmethod
    def of(
        cls,
        rows: Rows,
        targets: Sequence[tuple[str, ...]],
        genes: pd.Index,
        contexts: Sequence[Context],
    ) -> Asked:
        """Prepare perturbations; genes are their distinct targets."""
        distinct = sorted(set(contexts))
        position = {context: i for i, context in enumerate(distinct)}
        members = membership(targets, genes)
        among = membership(targets, rows.targets)
        shared = sparse.csr_array(among @ rows.members.T).tocoo()
        factors = rows.contexts.between(distinct)
        return cls(
            rows, members, shared, factors, np.array([position[c] for c in contexts]), distinct
        )

    @property
    def order(self) -> FloatArray:
        """Number of targets."""
        return np.asarray(self.members.sum(axis=1), dtype=np.float32)

    def specific(self, variances: Variances, mixture: FloatArray) -> FloatArray:
        """Return the covariance through kernels and own parts, ``(n_asked, n_rows)``."""
        covariance = np.asarray((self.rows.members @ (self.members @ mixture).T).T)
        covariance *= self._expand(variances.context)
        row, column = self.shared.coords
        own = np.tensordot(variances.own, self.factors, axes=1)
        covariance[row, column] += (
            self.shared.data * own[self.context[row], self.rows.context[column]]
        )
        return covariance * self._scale(variances)

    def parts(self, variances: Variances, kernels: Sequence[FloatArray]) -> FloatArray:
        """Return the covariance through each kernel, own parts and mean effects of contexts.

        Parameters
        ----------
        variances
            Of a block.
        kernels
            Between the asked genes and the targets of training rows.

        Returns
        -------
        ``(n_kernels + 2, n_asked, n_rows)``; the sum is that of :meth:`specific` and
        :meth:`general`.
        """
        by_context = self._expand(variances.context) * self._scale(variances)
        found = [
            np.asarray((self.rows.members @ (self.members @ kernel).T).T) * by_context * weight
            for kernel, weight in zip(kernels, variances.kernels, strict=True)
        ]
        nothing = np.zeros((self.members.shape[1], len(self.rows.targets)), dtype=np.float32)
        return np.stack([*found, self.specific(variances, nothing), self.general(variances)])

    def general(self, variances: Variances) -> FloatArray:
        """Return the covariance through the mean effects of contexts, ``(n_asked, n_rows)``."""
        pairs = np.outer(self.order, self.rows.order).astype(np.float32)
        return pairs * self._expand(variances.mean)

    def prior(self, variances: Variances) -> FloatArray:
        """Return the variance of kernels and own parts; kernels are 1 on the diagonal."""
        one = variances.kernels.sum() * variances.context.sum() + variances.own.sum()
        return self.order * np.float32(one) * self.amplitude(variances) ** 2

    def prior_of_mean(self, variances: Variances) -> FloatArray:
        """Return the variance of mean effects of contexts."""
        return self.order**2 * np.float32(variances.mean.sum())

    def noise(self, variances: Variances) -> FloatArray:
        """Return the variance of the noise, in an unseen context the geometric mean: 1."""
        return self._of_context(variances.noise)

    def amplitude(self, variances: Variances) -> FloatArray:
        """Return the size of effects, in an unseen context the geometric mean of others: 1."""
        return self._of_context(self.rows.contexts.amplitude(variances.noise))

    def _of_context(self, values: FloatArray) -> FloatArray:
        known = dict(zip(self.rows.contexts.contexts, values, strict=True))
        of_distinct = np.array([known.get(context, 1.0) for context in self.contexts], np.float32)
        return of_distinct[self.context]

    def _scale(self, variances: Variances) -> FloatArray:
        """Return the product of sizes of effects, ``(n_asked, n_rows)``."""
        return np.outer(self.amplitude(variances), self.rows.amplitude(variances)).astype(
            np.float32
        )

    def _expand(self, of_factor: FloatArray) -> FloatArray:
        between = np.tensordot(of_factor, self.factors, axes=1).astype(np.float32)
        return between[np.ix_(self.context, self.rows.context)]
