"""Which perturbations to measure next: posterior covariances of candidates, and greedy choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

import numpy as np
import pandas as pd

from txpert._types import BoolArray, FloatArray

from ._contexts import Context, ContextFactors
from ._covariance import Rows, membership
from ._gene_kernels import GeneKernels
from ._gene_process import GeneGaussianProcess
from ._layout import Variances

Strategy = Literal["variance", "d_optimal", "diverse", "random"]
STRATEGIES: tuple[str, ...] = get_args(Strategy)


class Choice(NamedTuple):
    """Candidates chosen one after the other.

    Attributes
    ----------
    chosen
        Their positions, in order.
    gain
        Fraction of the candidates' posterior variance, before any is measured, that each removes.
    """

    chosen: list[int]
    gain: FloatArray


@dataclass
class Design:
    """Posterior covariance of candidates, updated as candidates are chosen.

    Attributes
    ----------
    covariances
        By block, ``(n_candidates, n_candidates)``.
    sizes
        Sum of σ² over genes by block.
    noise
        Variance of a measurement by block, in units of σ².
    n_components
        Number of directions by block.
    similarity
        Largest prior correlation of each candidate with a training row, ``(n_candidates,)``.
    correlation
        Prior correlation between candidates.
    """

    covariances: list[FloatArray]
    sizes: FloatArray
    noise: FloatArray
    n_components: FloatArray
    similarity: FloatArray
    correlation: FloatArray

    @classmethod
    def of(
        cls,
        process: GeneGaussianProcess,
        kernels: GeneKernels,
        candidates: Sequence[tuple[str, ...]],
        context: Context,
    ) -> Design:
        """Compute the posterior covariance of candidates, given the training rows.

        Parameters
        ----------
        process
            A process.
        kernels
            On the graphs of the fit, with the targets of both training and candidates as anchors.
        candidates
            Targets of each.
        context
            Where they would be measured.
        """
        rows, n = process.rows, len(process.rows)
        both = _with_candidates(rows, candidates, context)
        weights = np.array([v.kernels for v in process.variances])
        mixtures = kernels.mixtures(both.targets, both.targets, weights)
        covariances: list[FloatArray] = []
        noises: list[float] = []
        order = both.order
        within = np.zeros((len(candidates),) * 2)
        across = np.zeros((len(candidates), n))
        for v, mixture in zip(process.variances, mixtures, strict=True):
            known = dict(zip(rows.contexts.contexts, v.noise, strict=True))
            noise = np.array([known.get(c, 1.0) for c in both.contexts.contexts])
            prior = _prior(both, replace(v, noise=noise), mixture)
            total = prior[:n, :n] + np.diag(rows.noise * noise[both.context[:n]])
            solved = np.linalg.solve(total, np.c_[prior[:n, n:], order[:n]])
            along, solved = solved[:, -1], solved[:, :-1]
            beyond = order[n:] - prior[n:, :n] @ along
            left = prior[n:, n:] - prior[n:, :n] @ solved
            left += np.outer(beyond, beyond) / (order[:n] @ along)
            covariances.append((left + left.T) / 2)
            noises.append(float(noise[both.context[-1]]))
            root = np.sqrt(np.maximum(np.diagonal(prior), 1e-12))
            correlation = prior / np.outer(root, root)
            across = np.maximum(across, correlation[n:, :n])
            within = np.maximum(within, correlation[n:, n:])
        return cls(
            covariances,
            process.noise.sum(axis=1).astype(float),
            np.array(noises),
            np.array(process.directions.n_components, dtype=float),
            across.max(axis=1),
            within,
        )

    @property
    def variance(self) -> float:
        """Posterior variance of Δ, summed over candidates and genes."""
        traces = [np.trace(covariance) for covariance in self.covariances]
        return float(self.sizes @ traces)

    def reductions(self) -> FloatArray:
        """Return by how much each candidate's measurement would lower :attr:`variance`."""
        total = np.zeros(len(self.similarity))
        for size, noise, covariance in zip(self.sizes, self.noise, self.covariances, strict=True):
            total += size * (covariance**2).sum(axis=0) / (np.diagonal(covariance) + noise)
        return total

    def information(self) -> FloatArray:
        """Return by how much each candidate would raise the log determinant of precision."""
        total = np.zeros(len(self.similarity))
        for n, noise, covariance in zip(
            self.n_components, self.noise, self.covariances, strict=True
        ):
            total += n * np.log1p(np.diagonal(covariance).clip(0) / noise)
        return total

    def measure(self, candidate: int) -> None:
        """Update the covariances by a measurement of a candidate."""
        for covariance, noise in zip(self.covariances, self.noise, strict=True):
            column = covariance[:, candidate].copy()
            covariance -= np.outer(column, column) / (column[candidate] + noise)
        self.similarity = np.maximum(self.similarity, self.correlation[candidate])

    def choose(
        self, n: int, strategy: Strategy, cost: FloatArray, allowed: BoolArray, seed: int
    ) -> Choice:
        """Choose candidates greedily by gain per cost.

        Parameters
        ----------
        n
            How many.
        strategy
            ``"variance"``, ``"d_optimal"``, ``"diverse"`` or ``"random"``.
        cost
            Of each candidate.
        allowed
            Which may be chosen.
        seed
            Of the random choice.
        """
        left, start = allowed.copy(), self.variance or 1.0
        drawn = np.random.default_rng(seed).random(len(left))
        chosen, gain = [], []
        for _ in range(min(n, int(allowed.sum()))):
            if strategy == "variance":
                value = self.reductions() / cost
            elif strategy == "d_optimal":
                value = self.information() / cost
            elif strategy == "diverse":
                value = (1 - self.similarity).clip(0) / cost
            else:
                value = drawn
            best = int(np.where(left, value, -np.inf).argmax())
            gain.append(self.reductions()[best] / start)
            chosen.append(best)
            left[best] = False
            self.measure(best)
        return Choice(chosen, np.array(gain))


def _with_candidates(rows: Rows, candidates: Sequence[tuple[str, ...]], context: Context) -> Rows:
    """Return the training rows and those of candidates, which have the median number of cells."""
    genes = pd.Index(
        sorted({*rows.targets, *(t for names in candidates for t in names)}), dtype=object
    )
    members = rows.members.tocoo()
    of_rows = np.zeros((len(rows) + len(candidates), len(genes)), dtype=np.float32)
    of_rows[members.row, genes.get_indexer(rows.targets)[members.col]] = members.data
    of_rows[len(rows) :] = membership(candidates, genes).toarray()
    contexts = list(rows.contexts.contexts)
    if context not in contexts:
        contexts.append(context)
    at = np.r_[rows.context, np.full(len(candidates), contexts.index(context))]
    factors = ContextFactors(contexts, rows.contexts.names)
    sparse = type(rows.members)(of_rows)
    return Rows(genes, sparse, factors, at, np.r_[rows.noise, np.ones(len(candidates))])


def _prior(rows: Rows, v: Variances, mixture: FloatArray) -> FloatArray:
    """Return the prior covariance of effects, without noise."""
    by_context = rows.expand(np.tensordot(v.mean, rows.factors, axes=1))
    signal = rows.signal(v, mixture.astype(float))
    return np.asarray(signal + np.outer(rows.order, rows.order) * by_context)
