"""Δ learned from the control alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import N_CELLS
from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._controls import ControlProfiles
from txpert.data._group_sums import filled_by_mean, weighted_group_means
from txpert.effects._smoother import Smoother, rotated

from ._base import Baseline
from ._registry import register_baseline
from ._ridge import check_penalty, least_loo_error


@register_baseline("batch_only", reference="TxPert (2025), doi 10.1038/s41587-026-03113-4")
class BatchOnlyBaseline(Baseline):
    r"""Δ from the matched control alone, whatever the perturbation (paper, "batch-only").

    A linear model of the matched control's profile,

    .. math:: \hat\Delta_c = b + (\bar x_c - \bar x)\, B, \qquad
              (b, B) = \arg\min \sum_k n_k \lVert \Delta_k - \hat\Delta_{c(k)} \rVert^2
              + \lambda \bar n \lVert B \rVert^2,

    over the training conditions k with their :math:`n_k` cells; :math:`\bar x` and
    :math:`\bar n` are means over contexts. λ has the least error when each context is left
    out in turn (in closed form). With fewer than three contexts it is the mean over all perturbed
    cells.

    Parameters
    ----------
    data
        What to fit to at once, as by :meth:`fit`.
    penalty
        λ, in units of squared expression; by default chosen as above, in :attr:`penalty_`.

    Raises
    ------
    ValueError
        If the penalty is not positive.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> baseline = BatchOnlyBaseline().fit(adata)
    >>> baseline.predict("GENE3").shape
    (1, 60)
    """

    def __init__(
        self, data: AnnData | ConditionTable | None = None, *, penalty: float | None = None
    ) -> None:
        check_penalty("penalty", penalty)
        self.penalty = penalty
        super().__init__(data)

    def _fit(self, table: ConditionTable) -> None:
        rows = table.training()
        context, code = np.unique(rows.context, return_inverse=True)
        cells = rows.obs[N_CELLS].to_numpy()
        y = filled_by_mean(weighted_group_means(rows.delta, code, cells).astype(np.float64))
        profiles = table.controls.filled().mean[context].astype(np.float64)
        self._mean_profile = profiles.mean(axis=0)
        centered = profiles - self._mean_profile
        total = np.bincount(code, cells)
        smoother = Smoother.from_features(centered, total / total.mean(), np.ones(len(y)))
        self.penalty_ = self.penalty or least_loo_error(smoother, rotated(y))
        self._alpha, self._mean_effect = smoother.fit(y, self.penalty_)
        self._centered = centered

    def _delta(
        self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        kernel = (profiles.filled().mean[context] - self._mean_profile) @ self._centered.T
        return (self._mean_effect + kernel @ self._alpha).astype(np.float32)
