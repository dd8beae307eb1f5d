"""The effect of a perturbation on its target's own expression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from txpert._constants import MODALITY, N_CELLS, PERTURBATION
from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._controls import ControlProfiles
from txpert.data._group_sums import weighted_group_means
from txpert.data._tokens import canonical_label, measured_targets


@dataclass(frozen=True)
class TargetEffect:
    r"""What perturbing a gene does to its own expression, relative to that of controls.

    Knock-down lowers the target's own mRNA, activation raises it, whatever else happens:
    :math:`\Delta_{pp} = c\, \bar x_p + \dots`, with one c for each modality. Where no target is
    expressed in controls, as in tables of effects, it is :math:`\Delta_{pp} = c + \dots`

    Attributes
    ----------
    size
        c over all modalities: −0.7, say, where the log-normalized expression of a target falls by
        70%.
    by_modality
        c of each modality, if there are several.
    relative
        Whether c is relative to the expression in controls.
    """

    size: float
    by_modality: Mapping[str, float] = field(default_factory=dict)
    relative: bool = True

    @classmethod
    def fit(cls, training: ConditionTable) -> TargetEffect:
        r"""Estimate c from perturbed conditions whose targets were measured.

        c is the median of :math:`(\Delta_{pp} - m_p) / \bar x_p`, weighted by :math:`\bar x_p^2`,
        where :math:`m_p` is the mean Δ of gene p under the other perturbations: the least sum of
        absolute deviations of a line through 0, each times :math:`\bar x_p`. It is 0 if no target
        was measured, or nothing else was perturbed.
        """
        own = _own_effects(training)
        relative = bool((own["control"] > 0).any()) or own.empty
        size = _median(own, relative)
        modality = training.obs.get(MODALITY)
        if modality is None or modality.nunique() < 2:
            return cls(size, relative=relative)
        names = modality.astype(str).to_numpy()
        sizes = {
            name: _median(_own_effects(training.subset(names == name)), relative)
            for name in sorted(set(names))
        }
        return cls(size, sizes, relative)

    def entries(
        self, conditions: pd.DataFrame, controls: ControlProfiles, context: IntArray
    ) -> tuple[IntArray, IntArray, FloatArray]:
        """Return what is added to Δ of conditions, where their targets are measured.

        Parameters
        ----------
        conditions
            perturbation and, if there are several, modality of each condition.
        controls
            Mean control profiles.
        context
            Position of each condition's context among them.

        Returns
        -------
        Position of the condition, position of the gene, and change.
        """
        row, column = measured_targets(conditions[PERTURBATION].astype(str), controls.genes)
        size = np.full(len(conditions), self.size, dtype=np.float32)
        if self.by_modality and MODALITY in conditions:
            named = conditions[MODALITY].astype(str).map(self.by_modality)
            size = named.fillna(self.size).to_numpy(dtype=np.float32)
        if not self.relative:
            return row, column, size[row]
        change = size[row] * controls.mean[context[row], column]
        known = np.isfinite(change)
        return row[known], column[known], change[known]

    def removed_from(self, table: ConditionTable) -> ConditionTable:
        """Return conditions as they would be without the effect on the targets."""
        row, column, change = self.entries(table.obs, table.controls, table.context)
        mean = table.mean.copy()
        mean[row, column] -= change
        return replace(table, mean=mean)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings, for saving."""
        return asdict(self)


def _own_effects(training: ConditionTable) -> pd.DataFrame:
    """Return each measured target's own change beyond that by others, and its expression."""
    code, labels = pd.factorize(training.obs[PERTURBATION].astype(str).map(canonical_label))
    cells = training.obs[N_CELLS].to_numpy()
    delta = weighted_group_means(training.delta, code, cells)
    row, column = measured_targets(labels, training.genes)
    control = weighted_group_means(training.control_mean, code, cells)[row, column]
    own, of_column = delta[row, column], delta[:, column]
    number = np.isfinite(of_column).sum(axis=0) - 1
    known = np.isfinite(own) & (number > 0)
    others = (np.nansum(of_column, axis=0) - own)[known] / number[known]
    return pd.DataFrame({"change": own[known] - others, "control": control[known]}, dtype=float)


def _median(own: pd.DataFrame, relative: bool) -> float:
    if relative:
        own = own[own["control"] > 0]
    if own.empty:
        return 0.0
    if not relative:
        return float(own["change"].median())
    ratio = (own["change"] / own["control"]).to_numpy()
    weight = own["control"].to_numpy() ** 2
    order = ratio.argsort()
    half = np.searchsorted(weight[order].cumsum(), weight.sum() / 2)
    return float(ratio[order][min(half, len(order) - 1)])
