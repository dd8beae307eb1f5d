"""A Gaussian process over genes that predicts effects of perturbations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import linalg, sparse

from txpert._types import FloatArray
from txpert.data._tokens import parse_targets

from ._effects import Effects
from ._gene_kernels import GeneKernels
from ._variances import fit_variances

OWN = "own"


@dataclass(frozen=True)
class GeneGaussianProcess:
    r"""A Gaussian process over genes: genes that are alike have like effects.

    .. math:: \Delta_P = \sum_{p \in P} (b + f_p + g_p) + \varepsilon_P, \quad
              \operatorname{Cov}(f_p, f_q) = \sigma^2 \sum_k v_k K^{(k)}_{pq}, \quad
              \operatorname{Var}(g_p) = \sigma^2 v_0, \quad
              \operatorname{Var}(\varepsilon_P) = \sigma^2\, \tilde n / n_P

    with the kernels of :class:`GeneKernels`, each scaled to a mean of 1 over the training
    targets, the number of cells :math:`n_P` of training perturbation P and its median
    :math:`\tilde n`. The variances :math:`v` maximise the restricted likelihood
    (:func:`fit_variances`): so data say which graph to trust, how far to walk on it, and how much
    to shrink. All measured genes share them.

    Attributes
    ----------
    targets
        Training targets.
    variances
        :math:`v_k` by kernel, and :math:`v_0` as "own"; in units of the noise.
    scales
        What each kernel is divided by.
    mean
        b, ``(n_genes,)``.
    weights
        Per training target, ``(n_targets, n_genes)``.
    """

    targets: pd.Index
    variances: pd.Series[float]
    scales: FloatArray
    mean: FloatArray
    weights: FloatArray

    @classmethod
    def fit(cls, effects: Effects, kernels: GeneKernels) -> GeneGaussianProcess:
        """Fit to effects; their targets must be among the anchors of the kernels."""
        targets = pd.Index(sorted({t for label in effects.targets for t in label}), dtype=object)
        n_targets = np.array([len(label) for label in effects.targets])
        row = np.repeat(np.arange(len(n_targets)), n_targets)
        column = targets.get_indexer(pd.Index([t for label in effects.targets for t in label]))
        shape = len(n_targets), len(targets)
        members = sparse.csr_array((np.ones(len(row)), (row, column)), shape=shape)
        order = members.sum(axis=1)
        own = (members @ members.T).toarray()
        noise = np.median(effects.n_cells) / effects.n_cells
        raw = kernels.between(targets, targets)
        scales = np.array([np.diagonal(kernel).mean() or 1.0 for kernel in raw])
        within = [members @ (members @ k / s).T for k, s in zip(raw, scales, strict=True)]
        y = effects.delta.astype(np.float64)
        variances = fit_variances(within, own, noise, order, y)
        parts = zip(variances, [*within, own], strict=True)
        covariance = sum(v * part for v, part in parts) + np.diag(noise)
        factor = linalg.cho_factor(covariance, lower=True)
        along = linalg.cho_solve(factor, order)
        mean = along @ y / (along @ order)
        weights = members.T @ linalg.cho_solve(factor, y - np.outer(order, mean))
        named = pd.Series(variances, index=[*kernels.names, OWN])
        return cls(targets, named, scales, mean.astype(np.float32), weights.astype(np.float32))

    @property
    def explained(self) -> float:
        """Share of the variance of measured effects that the kernels account for."""
        kernels = self.variances.iloc[:-1].sum()
        return float(kernels / (kernels + self.variances[OWN] + 1))

    def effects(self, asked: pd.Index, kernels: GeneKernels) -> FloatArray:
        """Return the posterior mean of b + f + g of genes, ``(n_asked, n_genes)``."""
        same = asked.to_numpy()[:, None] == self.targets.to_numpy()
        covariance = self.variances[OWN] * same.astype(np.float32)
        scaled = self.variances.to_numpy()[:-1] / self.scales
        for share, kernel in zip(scaled, kernels.between(asked, self.targets), strict=True):
            covariance += np.float32(share) * kernel
        return self.mean + covariance @ self.weights

    def delta(self, labels: Sequence[str], kernels: GeneKernels) -> FloatArray:
        """Return Δ of perturbations, the sum over their targets, ``(n_labels, n_genes)``."""
        of_label = [parse_targets(label) for label in labels]
        row = np.repeat(np.arange(len(labels)), [len(targets) for targets in of_label])
        code, genes = pd.factorize(np.array([g for targets in of_label for g in targets], object))
        ones = np.ones(len(code), dtype=np.float32)
        members = sparse.csr_array((ones, (row, code)), shape=(len(labels), len(genes)))
        return members @ self.effects(pd.Index(genes, dtype=object), kernels)

    def to_dict(self) -> dict[str, Any]:
        """Return plain arrays and strings, for saving."""
        return {
            "targets": self.targets.to_numpy(dtype=str),
            "kernels": self.variances.index.to_numpy(dtype=str),
            "variances": self.variances.to_numpy(),
            "scales": self.scales,
            "mean": self.mean,
            "weights": self.weights,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> GeneGaussianProcess:
        """Rebuild what :meth:`to_dict` returned."""
        return cls(
            pd.Index(state["targets"].astype(object)),
            pd.Series(state["variances"], index=state["kernels"].astype(object)),
            state["scales"],
            state["mean"],
            state["weights"],
        )
