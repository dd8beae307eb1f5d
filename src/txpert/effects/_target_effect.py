from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from txpert._constants import N_CELLS, PERTURBATION
from txpert._types import FloatArray, IntArray
from txpert.data import (
    ConditionTable,
    ControlProfiles,
    canonical_label,
    measured_targets,
    weighted_group_means,
)


@dataclass(frozen=True)
class TargetEffect:
    r"""What perturbing a gene does to its own expression, relative to that of controls.

    Knock-down lowers the target's own mRNA, activation raises it, whatever else happens:
    :math:`\Delta_{pp} = c\, \bar x_p + \dots`, with one c for the whole screen.

    Attributes
    ----------
    size
        c: −0.7, say, where the log-normalised expression of a target falls by 70%.
    """

    size: float

    @classmethod
    def fit(cls, training: ConditionTable) -> TargetEffect:
        r"""Estimate c from perturbed conditions whose targets were measured.

        c is the median of :math:`(\Delta_{pp} - m_p) / \bar x_p`, weighted by :math:`\bar x_p^2`,
        where :math:`m_p` is the mean Δ of gene p under the other perturbations: the least sum of
        absolute deviations of a line through 0, each times :math:`\bar x_p`. It is 0 if no target
        was measured or expressed, or nothing else was perturbed.
        """
        code, labels = pd.factorize(training.obs[PERTURBATION].astype(str).map(canonical_label))
        cells = training.obs[N_CELLS].to_numpy()
        delta = weighted_group_means(training.delta, code, cells)
        row, column = measured_targets(labels, training.genes)
        control = weighted_group_means(training.control_mean, code, cells)[row, column]
        own = delta[row, column]
        number = np.isfinite(delta).sum(axis=0)[column]
        expressed = (control > 0) & np.isfinite(own) & (number > 1)
        if not expressed.any():
            return cls(0.0)
        others = (np.nansum(delta, axis=0)[column] - own) / np.maximum(number - 1, 1)
        ratio = ((own - others)[expressed] / control[expressed]).astype(float)
        weight = control[expressed].astype(float) ** 2
        order = ratio.argsort()
        half = np.searchsorted(weight[order].cumsum(), weight.sum() / 2)
        return cls(float(ratio[order][min(half, len(order) - 1)]))

    def entries(
        self, labels: Iterable[str], controls: ControlProfiles, context: IntArray
    ) -> tuple[IntArray, IntArray, FloatArray]:
        """Return what is added to Δ of conditions, where their targets are measured.

        Parameters
        ----------
        labels
            Perturbation of each condition.
        controls
            Mean control profiles.
        context
            Position of each condition's context among them.

        Returns
        -------
        Position of the condition, position of the gene, and change.
        """
        row, column = measured_targets(labels, controls.genes)
        change = np.float32(self.size) * controls.mean[context[row], column]
        known = np.isfinite(change)
        return row[known], column[known], change[known]

    def removed_from(self, table: ConditionTable) -> ConditionTable:
        """Return conditions as they would be without the effect on the targets."""
        labels = table.obs[PERTURBATION].astype(str)
        row, column, change = self.entries(labels, table.controls, table.context)
        mean = table.mean.copy()
        mean[row, column] -= change
        return replace(table, mean=mean)
