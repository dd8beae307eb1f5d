"""Observed Δ to be scored, one row per perturbation and cell line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from txpert._constants import BATCH, CELL_LINE, CONTROL, N_CELLS, PERTURBATION
from txpert._types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Observations:
    """What a screen is scored by: perturbation × cell line, averaged over batches.

    Cells are added up by observation, control cells by context, and these sums are all that Δ
    takes. There are far fewer of them than conditions where a screen has many batches, so a screen
    can be averaged over many different subsets of its cells in little memory.

    Attributes
    ----------
    obs
        perturbation, cell_line and n_cells of each observation.
    scored
        Whether an observation is to be scored; the others are there to compare with.
    group
        Sum that the cells of each condition go into: the position of its observation, or
        ``n_observations`` plus that of its context if it is a control, ``(n_conditions,)``.
    context
        Position of the context of each condition, ``(n_conditions,)``.
    """

    obs: pd.DataFrame
    scored: BoolArray
    group: IntArray
    context: IntArray

    @classmethod
    def from_conditions(cls, conditions: pd.DataFrame, scored: BoolArray) -> Observations:
        """Gather the batches of each perturbation × cell line.

        Parameters
        ----------
        conditions
            From :func:`conditions_of`.
        scored
            Which of them are to be scored, ``(n_conditions,)``. Batches that are and batches that
            are not make two observations.
        """
        contexts = conditions.groupby([CELL_LINE, BATCH], observed=True)
        context = contexts.ngroup().to_numpy().astype(np.int64)
        perturbed = ~conditions[CONTROL].to_numpy(dtype=bool)
        rows = conditions[perturbed].assign(scored=scored[perturbed])
        grouped = rows.groupby([CELL_LINE, PERTURBATION, "scored"], observed=True)
        obs = grouped[N_CELLS].sum().reset_index()
        group = len(obs) + context
        group[perturbed] = grouped.ngroup().to_numpy()
        return cls(
            obs[[PERTURBATION, CELL_LINE, N_CELLS]], obs["scored"].to_numpy(), group, context
        )

    @property
    def n_groups(self) -> int:
        """Number of sums that Δ is made from."""
        return len(self.obs) + int(self.context.max()) + 1

    def delta(self, sums: FloatArray, n_cells: IntArray) -> FloatArray:
        """Return Δ against matched controls, batches weighted by their numbers of cells.

        Parameters
        ----------
        sums
            Summed expression of the cells of each group, ``(n_groups, n_genes)``.
        n_cells
            How many cells of each condition are in the sums, ``(n_conditions,)``.

        Returns
        -------
        Shape ``(n_observations, n_genes)``; NaN where none of the cells are in the sums, or some
        are of a context that no control cell in the sums is of.
        """
        n, n_observations = np.bincount(self.group, n_cells, self.n_groups), len(self.obs)
        with np.errstate(invalid="ignore"):
            mean = sums / n[:, None]
        used = (self.group < n_observations) & (n_cells > 0)
        share = n_cells[used] / n[self.group[used]], (self.group[used], self.context[used])
        controls = mean[n_observations:]
        matched = sparse.csr_matrix(share, shape=(n_observations, len(controls))) @ controls
        return mean[:n_observations].astype(np.float32) - matched.astype(np.float32)
