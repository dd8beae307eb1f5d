"""Minibatches of pseudobulk conditions or of cells, with their matched controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from txpert._constants import CELL_LINE, N_CELLS
from txpert._constants import PERTURBATION as PERTURBATION_COLUMN
from txpert._types import BoolArray, FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._batches import average_over_batches
from txpert.data._controls import ControlProfiles, Matching
from txpert.data._matrix import read_rows
from txpert.data._screen import Screen
from txpert.data._storage import refuse_dask

EXPRESSION = "X"
CONTROL_PROFILE = "control_profile"
CONTROL_EMBEDDING = "control_embedding"
PERTURBATION = "perturbation"
WEIGHT = "n_cells"
GROUP = "group"
MEASURED = "measured"
"""Keys of a minibatch: what is predicted, from what, how much a row counts, which genes do."""

Controls = Literal["averaged", "sampled"]


def control_tensors(controls: ControlProfiles, context: IntArray) -> dict[str, Tensor]:
    """Return what a prediction starts from: profiles and, if there are any, embeddings.

    Genes that a context did not measure are filled, see :meth:`ControlProfiles.filled`.
    """
    tensors = {CONTROL_PROFILE: torch.from_numpy(controls.filled().mean[context])}
    if controls.embedding is not None:
        tensors[CONTROL_EMBEDDING] = torch.from_numpy(controls.embedding[context])
    return tensors


def observed_tensors(observed: FloatArray, measured: BoolArray) -> dict[str, Tensor]:
    """Return what is to be predicted and, if genes were not measured, which were.

    A gene that was not has no part in the loss.
    """
    if measured.all():
        return {EXPRESSION: torch.from_numpy(observed)}
    filled = np.where(measured, observed, np.float32(0))
    return {EXPRESSION: torch.from_numpy(filled), MEASURED: torch.from_numpy(measured)}


def by_name(cells: IntArray, names: pd.Index | None) -> IntArray:
    """Return cells in the order of their names, so that the order of the data has no influence."""
    if names is None:
        return cells
    return cells[np.argsort(names[cells].to_numpy(dtype=str), kind="stable")]


class ConditionDataset(Dataset[dict[str, Tensor]]):
    """Minibatches of pseudobulk conditions, each with its matched control mean.

    Parameters
    ----------
    table
        The conditions.
    positions
        Encoded targets of each condition, ``(n_conditions, order)``.
    matching
        Whether controls are those of the same ``"batch"`` or of the whole ``"cell_line"``.
    """

    def __init__(
        self, table: ConditionTable, positions: IntArray, matching: Matching = "batch"
    ) -> None:
        self.table = table
        self.positions = positions
        pooled = table.controls.pooled(matching)
        self.measured = pooled.measured()
        self.controls = pooled.filled()
        groups = table.obs.groupby([CELL_LINE, PERTURBATION_COLUMN], observed=True)
        self.group = groups.ngroup().to_numpy(dtype=np.int64)
        self.n_cells = table.obs[N_CELLS].to_numpy(dtype=np.float32)

    def __len__(self) -> int:
        return len(self.table.obs)

    def __getitem__(self, rows: Sequence[int]) -> dict[str, Tensor]:
        context, mean = self.table.context[rows], self.table.mean[rows]
        measured = np.isfinite(mean) & self.measured[context]
        return {
            **observed_tensors(mean, measured),
            **control_tensors(self.controls, context),
            PERTURBATION: torch.from_numpy(self.positions[rows]),
            WEIGHT: torch.from_numpy(self.n_cells[rows]),
            GROUP: torch.from_numpy(self.group[rows]),
        }

    def observed_delta(self) -> Tensor:
        """Return the Δ of each perturbation × cell line, ``(n_groups, n_genes)``.

        Against the controls of the same batch, whatever the matching.
        """
        return torch.from_numpy(average_over_batches(self.table.delta, self.table.obs)[0])


class CellDataset(Dataset[dict[str, Tensor]]):
    """Minibatches of single cells, each with the mean or one sampled cell of its controls.

    Parameters
    ----------
    screen
        All cells.
    table
        Their conditions, for the control means.
    cells
        Rows of the cells handed out.
    positions
        Encoded targets of each category of ``screen.perturbation``, ``(n_categories, order)``.
    controls
        ``"averaged"``, or ``"sampled"``: one of the control cells, drawn from torch's generator
        again each time.
    matching
        Whether controls are those of the same ``"batch"`` or of the whole ``"cell_line"``.
    """

    def __init__(
        self,
        screen: Screen,
        table: ConditionTable,
        cells: IntArray,
        positions: IntArray,
        controls: Controls,
        matching: Matching = "batch",
    ) -> None:
        refuse_dask(screen.X, "Training on single cells")
        self.screen = screen
        self.cells = cells
        self.positions = positions
        self.controls = controls
        pooled = table.controls.pooled(matching)
        self.measured = table.controls.measured() & pooled.measured()
        self.profiles = pooled.filled()
        if (
            controls == "sampled"
            and self.profiles.embedding is not None
            and screen.embedding is None
        ):
            raise ValueError(
                "The embedding of single control cells is not known, only their mean: train with "
                "controls='averaged', or register an embedding of the cells by embedding_key."
            )
        self.context = table.context_of(screen)
        self.pool = table.controls.pools(matching)[self.context]
        control_cells = by_name(np.flatnonzero(screen.control), screen.names)
        of_pool = self.pool[control_cells]
        self.control_cells = control_cells[np.argsort(of_pool, kind="stable")]
        self.n_controls = np.bincount(of_pool)
        self.first_control = np.cumsum(self.n_controls) - self.n_controls

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, rows: Sequence[int]) -> dict[str, Tensor]:
        cells = self.cells[rows]
        codes = self.screen.perturbation.codes[cells]
        observed = read_rows(self.screen.X, cells)
        measured = np.isfinite(observed) & self.measured[self.context[cells]]
        return {
            **observed_tensors(observed, measured),
            **self._control_tensors(cells),
            PERTURBATION: torch.from_numpy(self.positions[codes]),
            WEIGHT: torch.ones(len(cells)),
        }

    def _control_tensors(self, cells: IntArray) -> dict[str, Tensor]:
        if self.controls == "averaged":
            return control_tensors(self.profiles, self.context[cells])
        pool = self.pool[cells]
        draw = torch.rand(len(pool), dtype=torch.float64).numpy()
        chosen = self.first_control[pool] + (draw * self.n_controls[pool]).astype(np.int64)
        drawn = self.control_cells[chosen]
        values = read_rows(self.screen.X, drawn)
        known = np.isfinite(values) & self.measured[self.context[drawn]]
        if not known.all():
            values = np.where(known, values, self.profiles.mean[self.context[drawn]])
        tensors = {CONTROL_PROFILE: torch.from_numpy(values)}
        if self.screen.embedding is not None:
            tensors[CONTROL_EMBEDDING] = torch.from_numpy(self.screen.embedding[drawn])
        return tensors
