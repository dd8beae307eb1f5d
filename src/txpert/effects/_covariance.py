"""The covariance of training rows: kernels between genes times factors between contexts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from txpert._types import FloatArray

from ._contexts import Context, ContextFactors
from ._layout import Layout, Parameters, Variances

_ROUNDING = 1e-5
"""Kernels are computed in single precision: without so much more on the diagonal they may have
negative eigenvalues where effects are far larger than noise."""
_AT_ONCE = 1_024
"""Rows of a matrix that are looked at together, which bounds the memory in addition to it."""


@dataclass(frozen=True)
class Rows:
    """Training rows.

    Attributes
    ----------
    targets
        Distinct target genes, sorted.
    members
        How often a row has a target, ``(n_rows, n_targets)``.
    contexts
        Context factors.
    context
        Position of each row's context.
    noise
        Expected variance of the noise, by number of cells, with a median of 1.
    """

    targets: pd.Index
    members: sparse.csr_array
    contexts: ContextFactors
    context: npt.NDArray[np.int64]
    noise: FloatArray

    @classmethod
    def of(
        cls, targets: Sequence[tuple[str, ...]], contexts: Sequence[Context], n_cells: FloatArray
    ) -> Rows:
        """Lay out rows."""
        genes = pd.Index(sorted({t for names in targets for t in names}), dtype=object)
        members = membership(targets, genes)
        found = sorted(set(contexts))
        position = {context: i for i, context in enumerate(found)}
        context = np.array([position[c] for c in contexts])
        noise = np.median(n_cells) / n_cells
        return cls(genes, members, ContextFactors.of(found), context, noise)

    def __len__(self) -> int:
        return len(self.context)

    @cached_property
    def order(self) -> FloatArray:
        """Number of targets of each row."""
        return np.asarray(self.members.sum(axis=1), dtype=float)

    @cached_property
    def factors(self) -> FloatArray:
        """Context factors between training contexts, ``(n_factors, n_contexts, n_contexts)``."""
        return self.contexts.between(self.contexts.contexts)

    def subset(self, rows: npt.NDArray[np.integer]) -> Rows:
        """Return some of the rows with their targets; contexts stay as they are."""
        members = self.members[rows]
        targets = np.flatnonzero(members.sum(axis=0))
        return Rows(
            self.targets[targets],
            sparse.csr_array(members[:, targets]),
            self.contexts,
            self.context[rows],
            self.noise[rows],
        )

    def expand(self, between_contexts: FloatArray) -> FloatArray:
        """Return values of pairs of contexts for pairs of rows."""
        if len(between_contexts) == 1:
            return between_contexts
        return between_contexts[np.ix_(self.context, self.context)]

    @cached_property
    def single(self) -> bool:
        """Whether rows are the targets in order, once each."""
        return is_identity(self.members)

    def of_rows(self, between_genes: FloatArray) -> FloatArray:
        """Sum a kernel between targets over those of each pair of rows."""
        if self.single:
            return between_genes
        return np.asarray(self.members @ (self.members @ between_genes).T)

    def signal(self, variances: Variances, between_genes: FloatArray) -> FloatArray:
        """Return the covariance through kernels and own parts.

        Parameters
        ----------
        variances
            Of a block.
        between_genes
            Mixture of kernels between targets; it is overwritten.
        """
        factors = self.factors
        total = self.of_rows(between_genes).astype(between_genes.dtype, copy=False)
        total[np.diag_indices(len(self))] *= 1 + _ROUNDING
        by_context = np.tensordot(variances.context, factors, axes=1)
        for part, pairs in self._blocks(total, by_context):
            part *= pairs
        own = (self.members @ self.members.T).tocoo()
        row, column = own.coords
        by_context = np.tensordot(variances.own, factors, axes=1)
        total[row, column] += own.data * by_context[self.context[row], self.context[column]]
        amplitude = self.amplitude(variances).astype(total.dtype)
        total *= amplitude[:, None]
        total *= amplitude
        return total

    def _blocks(
        self, total: FloatArray, between_contexts: FloatArray
    ) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Yield some rows of a matrix at a time with values of pairs of contexts for them."""
        for first in range(0, len(total), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            if len(between_contexts) == 1:
                yield total[some], between_contexts.astype(total.dtype)
            else:
                pairs = between_contexts[np.ix_(self.context[some], self.context)]
                yield total[some], pairs.astype(total.dtype)

    def amplitude(self, variances: Variances) -> FloatArray:
        """Return the size of effects of each row's context, ``(n_rows,)``."""
        return self.contexts.amplitude(variances.noise)[self.context]

    def covariance(self, variances: Variances, between_genes: FloatArray) -> FloatArray:
        """Return the covariance, given the mixture of kernels, which is overwritten."""
        total = self.signal(variances, between_genes)
        if variances.mean.any():
            by_context = np.tensordot(variances.mean, self.factors, axes=1)
            order = self.order.astype(total.dtype)
            first = 0
            for part, pairs in self._blocks(total, by_context):
                part += pairs * np.outer(order[first : first + len(part)], order)
                first += len(part)
        total[np.diag_indices(len(self))] += self.noise * variances.noise[self.context]
        return total

    def parametrized(
        self, layout: Layout, kernels: Sequence[FloatArray]
    ) -> Callable[[FloatArray], tuple[FloatArray, Callable[[FloatArray], FloatArray]]]:
        """Return what gives the covariance for log variances, and its derivatives.

        Parameters
        ----------
        layout
            Of the log variances.
        kernels
            Kernels between rows, ``(n_rows, n_rows)`` each.
        """
        n, factors = len(self), self.factors
        rounding = 1 + _ROUNDING * np.eye(n)
        stack = np.stack([(kernel * rounding).ravel() for kernel in kernels]) if kernels else None
        own, pairs = (self.members @ self.members.T).toarray(), np.outer(self.order, self.order)
        in_context = np.eye(layout.n_contexts)[self.context]
        over_lines = self.contexts.over_lines
        diagonal = np.diag_indices(n)

        def by_context(matrix: FloatArray) -> FloatArray:
            return np.tensordot(factors, in_context.T @ matrix @ in_context, axes=2)

        def covariance(x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
            v = layout.read(x)
            amplitude = self.amplitude(v)
            scale = np.outer(amplitude, amplitude)
            factor = self.expand(np.tensordot(v.context, factors, axes=1)) * scale
            mixed = np.zeros((n, n)) if stack is None else (v.kernels @ stack).reshape(n, n)
            signal = mixed * factor
            signal += own * self.expand(np.tensordot(v.own, factors, axes=1)) * scale
            noise = self.noise * v.noise[self.context]
            total = signal.copy()
            if layout.n_factors > 1:
                total += pairs * self.expand(np.tensordot(v.mean, factors, axes=1))
            total[diagonal] += noise

            def gradient(slope: FloatArray) -> FloatArray:
                each = np.zeros(0)
                if stack is not None:
                    each = v.kernels * (stack @ (slope * factor).ravel())
                context = v.context * by_context(slope * mixed * scale)
                of_own = v.own * by_context(slope * own * scale)
                mean = v.mean * by_context(slope * pairs) if layout.n_factors > 1 else np.zeros(1)
                whole = context.sum() + of_own.sum()
                of_noise: FloatArray = np.zeros(0)
                if layout.n_contexts > 1:
                    of_noise = in_context.T @ (np.diagonal(slope) * noise)
                    of_noise += over_lines.T @ in_context.T @ (slope * signal).sum(axis=1)
                    of_noise -= of_noise.mean()
                slopes = Parameters(
                    total=np.array([whole]),
                    kernels=each,
                    context=context[1:],
                    own=np.array([of_own.sum()]),
                    own_context=of_own[1:],
                    mean=mean[1:],
                    noise=of_noise,
                )
                return slopes.joined()

            return total, gradient

        return covariance


def membership(targets: Sequence[tuple[str, ...]], genes: pd.Index) -> sparse.csr_array:
    """Return how often each perturbation has a gene as target, ``(n, n_genes)``.

    Targets that are not among the genes are left out.
    """
    row = np.repeat(np.arange(len(targets)), [len(names) for names in targets])
    column = genes.get_indexer(pd.Index([t for names in targets for t in names], dtype=object))
    row, column = row[column >= 0], column[column >= 0]
    shape = len(targets), len(genes)
    return sparse.csr_array((np.ones(len(row), np.float32), (row, column)), shape=shape)


def is_identity(members: sparse.csr_array) -> bool:
    """Say whether each perturbation has one target, the gene in its place."""
    n, n_genes = members.shape
    return (
        n == n_genes == members.nnz
        and bool((members.indices == np.arange(n)).all())
        and bool((members.data == 1).all())
        and bool((np.diff(members.indptr) == 1).all())
    )
