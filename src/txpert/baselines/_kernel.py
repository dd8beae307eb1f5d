from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert.data import ConditionTable
from txpert.graph import KnowledgeGraph, diffusion_profiles

from ._base import AdditiveBaseline
from ._ridge import check_penalty
from ._smoother import Array, Smoother, penalties
from ._training import FloatArray

# Unseen genes predicted at a time, which bounds the memory.
_BLOCK = 512


class KernelBaseline(AdditiveBaseline):
    r"""Predicts unseen genes by a Gaussian process over graphs.

    Effects of genes are a mean effect b plus a Gaussian process whose covariance is the diffusion
    kernel: how much two genes share of where random walks from them lead. It reaches over several
    edges, and weighs strong against weak, near against far and redundant neighbours.

    .. math:: \Delta_P = \sum_{p \in P} (b + f_p) + \varepsilon_P, \quad
              \operatorname{Cov}(f_p, f_q) = \sigma^2 K_{pq} / \bar K, \quad
              \operatorname{Var}(\varepsilon_P) = \sigma^2 \nu\, \tilde n / n_P,

    with the diffusion kernel K of :func:`txpert.graph.diffusion_profiles`, its mean
    :math:`\bar K` over the diagonal of the training targets, :math:`n_P` the number of cells of
    training perturbation P and :math:`\tilde n` its median. A gene that no graph holds counts as
    one without edges. The prediction is the posterior mean of :math:`b + f_p`, which is b for a
    gene without edges. All genes of the profile share the covariance. ν maximises the restricted
    likelihood, in closed form from one decomposition: leave-one-out error would hang on the few
    perturbations that are strong.

    What was trained on keeps its own Δ, and a combination else has the sum of its parts.

    Parameters
    ----------
    pseudobulk
        Table made by :func:`txpert.pp.pseudobulk`. With a split, only ``"train"`` is looked at.
    graphs
        One knowledge graph or several; directions are ignored.
    time
        How far walks lead: the mean number of steps from one gene to the other.
    noise
        ν; by default chosen as above, in :attr:`noise_`.

    Raises
    ------
    KeyError
        If this is no pseudobulk table.
    ValueError
        If no perturbation is in training, no graph holds any of its targets, or time or noise is
        not positive.

    References
    ----------
    Smola and Kondor (2003), Kernels and regularization on graphs, COLT,
    doi 10.1007/978-3-540-45167-9_12.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> baseline = KernelBaseline(tx.pp.pseudobulk(adata), tx.datasets.toy_graph())
    >>> baseline.predict("GENE3", batch="batch_1").shape
    (1, 60)
    """

    def __init__(
        self,
        pseudobulk: AnnData | ConditionTable,
        graphs: KnowledgeGraph | Sequence[KnowledgeGraph],
        *,
        time: float = 3.0,
        noise: float | None = None,
    ) -> None:
        super().__init__(pseudobulk)
        check_penalty("noise", noise)
        self._graphs, self._time = graphs, time
        effects = self._effects
        self._targets = pd.Index(sorted({t for label in effects.targets for t in label}))
        self._profiles = diffusion_profiles(graphs, self._targets, time=time)
        if self._profiles.empty:
            raise ValueError(
                f"The graphs hold none of the {len(self._targets)} training targets, such as "
                f"{', '.join(self._targets[:3])}. Both must use the same gene symbols."
            )
        self._scale = 1.0
        self._scale = self._covariance(self._targets).diagonal().mean()
        members = np.array([self._targets.isin(label) for label in effects.targets], dtype=float)
        covariance = self._covariance(self._targets)
        weight = effects.n_cells / np.median(effects.n_cells)
        smoother = Smoother.from_kernel(
            members @ covariance @ members.T, weight, members.sum(axis=1)
        )
        y = effects.delta.astype(np.float64)
        self.noise_ = noise or _likeliest(smoother, y)
        alpha, self._mean_effect = smoother.fit(y, self.noise_)
        self._alpha = members.T @ alpha

    def _unseen(self, targets: list[str]) -> FloatArray:
        blocks = [targets[i : i + _BLOCK] for i in range(0, len(targets), _BLOCK)]
        return np.concatenate([self._posterior(block) for block in blocks])

    def _posterior(self, targets: list[str]) -> FloatArray:
        effects = self._mean_effect + self._covariance(pd.Index(targets)) @ self._alpha
        return effects.astype(np.float32)

    def _covariance(self, genes: pd.Index) -> Array:
        """Return the covariance of genes with the training targets, in units of σ²."""
        profiles = self._profiles
        if genes is not self._targets:
            profiles = diffusion_profiles(self._graphs, genes, time=self._time)
        values = np.zeros((len(genes), len(self._targets)))
        rows, columns = (
            index.get_indexer(frame.index)
            for index, frame in ((genes, profiles), (self._targets, self._profiles))
        )
        values[np.ix_(rows, columns)] = profiles.to_numpy() @ self._profiles.to_numpy().T
        alone = ~self._targets.isin(self._profiles.index)
        same = genes.to_numpy()[:, None] == self._targets.to_numpy()
        values[same & alone] = np.exp(-self._time)
        return values / self._scale


def _likeliest(smoother: Smoother, y: Array) -> float:
    """Return the noise of the highest restricted likelihood; under three rows, the largest."""
    tried = penalties(smoother.scale)
    return float(tried[-1] if len(y) < 3 else tried[smoother.deviance(y, tried).argmin()])
