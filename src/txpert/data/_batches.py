"""Averages of conditions over the batches of a cell line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from txpert._constants import CELL_LINE, MODALITY, N_CELLS, PERTURBATION
from txpert._types import FloatArray, IntArray

from ._group_sums import weighted_group_means

_FIRST = [PERTURBATION, CELL_LINE, N_CELLS]


@dataclass(frozen=True)
class OverBatches:
    """Which conditions are one observation, but for their batch.

    Attributes
    ----------
    obs
        perturbation, cell_line, n_cells and, if there is one, modality of each observation.
    group
        Observation of each condition, ``(n_conditions,)``.
    n_cells
        Cells of each condition, ``(n_conditions,)``.
    """

    obs: pd.DataFrame
    group: IntArray
    n_cells: IntArray

    @classmethod
    def of(cls, obs: pd.DataFrame, *apart: str) -> OverBatches:
        """Group conditions by perturbation, cell line and, if there is one, modality.

        Parameters
        ----------
        obs
            perturbation, cell_line, n_cells and, if there is one, modality of each condition.
        apart
            Further columns, if there are such, that keep conditions apart.
        """
        keys = [name for name in (CELL_LINE, MODALITY, PERTURBATION, *apart) if name in obs]
        grouped = obs.groupby(keys, observed=True, sort=True, dropna=False)
        frame = grouped[N_CELLS].sum().reset_index()
        group = np.asarray(grouped.ngroup(), dtype=np.int64)
        frame = frame[[*_FIRST, *frame.columns.difference(_FIRST)]]
        return cls(frame, group, obs[N_CELLS].to_numpy())

    def mean(self, values: FloatArray) -> FloatArray:
        """Average rows of conditions, weighted by their cells; what is NaN was not measured.

        Parameters
        ----------
        values
            One row per condition, ``(n_conditions, n_genes)``.

        Returns
        -------
        One row per observation, ``(n_observations, n_genes)``.
        """
        return weighted_group_means(values, self.group, self.n_cells)


def average_over_batches(values: FloatArray, obs: pd.DataFrame) -> tuple[FloatArray, pd.DataFrame]:
    """Average conditions over the batches of a cell line, weighted by their numbers of cells.

    Modalities stay apart, and only what was measured is averaged.

    Parameters
    ----------
    values
        One row per condition, shape ``(n_conditions, n_genes)``.
    obs
        perturbation, cell_line, n_cells and, if there is one, modality of each condition.

    Returns
    -------
    The averages, shape ``(n_groups, n_genes)``, and a frame with the same columns of each.
    """
    batches = OverBatches.of(obs)
    return batches.mean(values), batches.obs
