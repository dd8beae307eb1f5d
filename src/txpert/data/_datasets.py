from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from txpert._constants import CELL_LINE, N_CELLS
from txpert._constants import PERTURBATION as PERTURBATION_COLUMN

from ._conditions import ConditionTable
from ._matrix import read_rows
from ._screen import Screen

EXPRESSION = "X"
CONTROL_PROFILE = "control_profile"
PERTURBATION = "perturbation"
WEIGHT = "n_cells"
GROUP = "group"
"""Keys of a minibatch: what is predicted, from what, and how much a row counts."""

IntArray = npt.NDArray[np.int64]
Controls = Literal["averaged", "sampled"]


class ConditionDataset(Dataset[dict[str, Tensor]]):
    """Minibatches of pseudobulk conditions, each with its matched control mean.

    Parameters
    ----------
    table
        The conditions.
    positions
        Encoded targets of each condition, ``(n_conditions, order)``.
    """

    def __init__(self, table: ConditionTable, positions: IntArray) -> None:
        self.table = table
        self.positions = positions
        groups = table.obs.groupby([CELL_LINE, PERTURBATION_COLUMN], observed=True)
        self.group = groups.ngroup().to_numpy(dtype=np.int64)
        self.n_groups = groups.ngroups
        self.n_cells = table.obs[N_CELLS].to_numpy(dtype=np.float32)

    def __len__(self) -> int:
        return len(self.table.obs)

    def __getitem__(self, rows: Sequence[int]) -> dict[str, Tensor]:
        control = self.table.controls.mean[self.table.context[rows]]
        return {
            EXPRESSION: torch.from_numpy(self.table.mean[rows]),
            CONTROL_PROFILE: torch.from_numpy(control),
            PERTURBATION: torch.from_numpy(self.positions[rows]),
            WEIGHT: torch.from_numpy(self.n_cells[rows]),
            GROUP: torch.from_numpy(self.group[rows]),
        }


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
        ``"averaged"``, or ``"sampled"``: a control of the same context, drawn from torch's
        generator anew each time.
    """

    def __init__(
        self,
        screen: Screen,
        table: ConditionTable,
        cells: IntArray,
        positions: IntArray,
        controls: Controls,
    ) -> None:
        self.screen = screen
        self.cells = cells
        self.positions = positions
        self.controls = controls
        self.control_mean = table.controls.mean
        self.context = table.context_of(screen)
        control_cells = np.flatnonzero(screen.control)
        of_context = self.context[control_cells]
        self.control_cells = control_cells[np.argsort(of_context, kind="stable")]
        self.n_controls = np.bincount(of_context, minlength=len(table.controls.obs))
        self.first_control = np.cumsum(self.n_controls) - self.n_controls

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, rows: Sequence[int]) -> dict[str, Tensor]:
        cells = self.cells[rows]
        codes = self.screen.perturbation.codes[cells]
        return {
            EXPRESSION: torch.from_numpy(read_rows(self.screen.X, cells)),
            CONTROL_PROFILE: torch.from_numpy(self._control_profiles(self.context[cells])),
            PERTURBATION: torch.from_numpy(self.positions[codes]),
            WEIGHT: torch.ones(len(cells)),
        }

    def _control_profiles(self, context: IntArray) -> npt.NDArray[np.float32]:
        if self.controls == "averaged":
            return self.control_mean[context]
        draw = torch.rand(len(context), dtype=torch.float64).numpy()
        chosen = self.first_control[context] + (draw * self.n_controls[context]).astype(np.int64)
        return read_rows(self.screen.X, self.control_cells[chosen])
