"""Covariances of perturbations asked for with training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from txpert._types import FloatArray

from ._contexts import Context
from ._covariance import Rows, is_identity, membership
from ._layout import Variances


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

    @cached_property
    def order(self) -> FloatArray:
        """Number of targets."""
        return np.asarray(self.members.sum(axis=1), dtype=np.float32)

    def specific(self, variances: Variances, mixture: FloatArray) -> FloatArray:
        """Return the covariance through kernels and own parts, ``(n_asked, n_rows)``.

        Parameters
        ----------
        variances
            Of a block.
        mixture
            Of kernels between the asked genes and the targets of training rows; it is overwritten.
        """
        covariance = mixture if self.single else np.asarray(self.members @ mixture)
        if not self.rows.single:
            covariance = np.asarray((self.rows.members @ covariance.T).T)
        by_context = self._by_context(variances, variances.context)
        for rows, values in zip(self.rows_of_contexts, by_context, strict=True):
            covariance[rows] *= values
        row, column = self.shared.coords
        own = self._by_context(variances, variances.own)
        covariance[row, column] += self.shared.data * own[self.context[row], column]
        return covariance

    def _by_context(self, variances: Variances, of_factor: FloatArray) -> FloatArray:
        """Return what covariances have for contexts, ``(n_asked_contexts, n_rows)``."""
        between = np.tensordot(of_factor, self.factors, axes=1)[:, self.rows.context]
        sizes = self._known(self.rows.contexts.amplitude(variances.noise))
        scale = np.outer(sizes, self.rows.amplitude(variances))
        return np.asarray(between * scale, dtype=np.float32)

    @cached_property
    def single(self) -> bool:
        """Whether the genes are asked for one by one, in order."""
        return is_identity(self.members)

    @cached_property
    def rows_of_contexts(self) -> list[slice | npt.NDArray[np.integer]]:
        """Which perturbations are asked for in each context."""
        if len(self.contexts) == 1:
            return [slice(None)]
        return [np.flatnonzero(self.context == c) for c in range(len(self.contexts))]

    def parts(self, variances: Variances, kernels: FloatArray) -> FloatArray:
        """Return the covariance through each kernel, own parts and mean effects of contexts.

        Parameters
        ----------
        variances
            Of a block.
        kernels
            Between the asked genes and the targets of training rows.

        Returns
        -------
        ``(n_kernels + 2, n_asked, n_rows)``.
        """
        by_context = self._by_context(variances, variances.context)[self.context]
        found = [
            np.asarray((self.rows.members @ (self.members @ kernel).T).T) * by_context * weight
            for kernel, weight in zip(kernels, variances.kernels, strict=True)
        ]
        nothing = np.zeros((self.members.shape[1], len(self.rows.targets)), dtype=np.float32)
        general = self.order[:, None] * self.general(variances)[self.context]
        return np.stack([*found, self.specific(variances, nothing), general])

    def general(self, variances: Variances) -> FloatArray:
        """Return the covariance through the mean effects of contexts for one target.

        Returns
        -------
        ``(n_asked_contexts, n_rows)``; of several targets it is as many times that.
        """
        between = np.tensordot(variances.mean, self.factors, axes=1)[:, self.rows.context]
        return np.asarray(between * self.rows.order, dtype=np.float32)

    def prior(self, variances: Variances) -> FloatArray:
        """Return the variance of kernels and own parts."""
        return self.order * np.float32(variances.of_one_target) * self.amplitude(variances) ** 2

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
        return self._known(values)[self.context]

    def _known(self, values: FloatArray) -> FloatArray:
        """Return values of training contexts for those asked for, 1 for unseen ones."""
        known = dict(zip(self.rows.contexts.contexts, values, strict=True))
        return np.array([known.get(context, 1.0) for context in self.contexts], np.float32)
