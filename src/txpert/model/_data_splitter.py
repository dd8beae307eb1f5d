"""Minibatches of training and validation conditions, as a Lightning data module."""

from __future__ import annotations

from typing import Literal

import lightning.pytorch as pl
import numpy as np
import pandas as pd
import torch
from scvi import settings
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Sampler, SequentialSampler

from txpert._constants import (
    CELL_LINE,
    CONTROL,
    MODALITY,
    N_CELLS,
    PERTURBATION,
    SPLIT,
    TEST,
    TRAIN,
    VALIDATION,
)
from txpert._types import BoolArray, IntArray
from txpert.data import ConditionTable
from txpert.data._controls import Matching
from txpert.data._group_sums import filled_by_mean
from txpert.data._screen import Screen
from txpert.data._tokens import encode_targets, parse_targets

from ._batches import ShuffledBatches
from ._torch_datasets import CellDataset, ConditionDataset, Controls, by_name

Unit = Literal["pseudobulk", "cell"]


class PerturbationSplitter(pl.LightningDataModule):
    """Minibatches of the training and the validation conditions; test ones are never touched.

    Controls belong to no split and are trained on. Validation runs on pseudobulk conditions
    whatever the training unit, so that its score always means the same. Where several processes
    train together they divide the rows of each training minibatch, and each validates all.

    Parameters
    ----------
    screen, table
        The cells and their pseudobulk, with a split.
    nodes
        Genes that can be perturbed.
    batch_size
        Rows of a minibatch, over all processes.
    pooled
        ``table.over_batches()``, where it is known.
    unit
        Train on ``"pseudobulk"`` means, weighted by their numbers of cells, or on each ``"cell"``.
    controls
        Match ``"averaged"`` controls or, for cells only, a ``"sampled"`` one.
    matching
        Match controls of the same ``"batch"`` or of the whole ``"cell_line"``.
    pool_batches
        Train on one row per cell line × perturbation, if the model's Δ does not depend on the
        batch.

    Raises
    ------
    ValueError
        If sampled controls are asked for with pseudobulk, or nothing is left to train on.
    """

    def __init__(
        self,
        screen: Screen,
        table: ConditionTable,
        nodes: pd.Index,
        *,
        batch_size: int,
        pooled: ConditionTable | None = None,
        unit: Unit = "pseudobulk",
        controls: Controls = "averaged",
        matching: Matching = "batch",
        pool_batches: bool = False,
    ) -> None:
        super().__init__()
        check_unit(unit, controls)
        self.batch_size = batch_size
        pooled = table.over_batches() if pooled is None else pooled
        self._perturbed = pooled.training()
        rows = pooled if pool_batches and unit == "pseudobulk" else table
        validation = rows.subset((rows.obs[SPLIT] == VALIDATION).to_numpy())
        self.validation = _conditions(validation, nodes, matching)
        self.train_idx, self.val_idx, self.test_idx = (
            np.flatnonzero(screen.split == part) for part in (TRAIN, VALIDATION, TEST)
        )
        if unit == "pseudobulk":
            training = rows.subset(_in_training(rows) | _controls(rows))
            self.training: ConditionDataset | CellDataset = _conditions(training, nodes, matching)
        else:
            labels = screen.perturbation.categories
            seen = labels.isin(self._perturbed.obs[PERTURBATION].unique())
            positions = encode_targets(np.where(seen, labels, CONTROL), nodes)
            chosen = np.flatnonzero(screen.control | np.asarray(screen.split == TRAIN))
            cells = by_name(chosen, screen.names)
            self.training = CellDataset(screen, table, cells, positions, controls, matching)

    def trained_nodes(self, n_nodes: int) -> Tensor:
        """Return which nodes are targets of a training perturbation, ``(n_nodes,)``."""
        return _targeted(self.training.positions, n_nodes)

    def validation_nodes(self, n_nodes: int) -> Tensor:
        """Return the nodes that are targets of a validation perturbation, sorted, ``(n,)``."""
        return _targeted(self.validation.positions, n_nodes).nonzero().flatten()

    def training_effects(self) -> Tensor:
        """Return Δ of the training perturbations of one gene, or of all if there are none.

        One row per cell line and perturbation, ``(n, n_genes)``. A gene that was not measured has
        its mean over the others.
        """
        labels = self._perturbed.obs[PERTURBATION].astype(str)
        delta = filled_by_mean(self._perturbed.delta)
        order = np.array([len(parse_targets(label)) for label in labels])
        return torch.from_numpy(delta[order == 1] if (order == 1).any() else delta)

    @property
    def n_train(self) -> int:
        """Rows trained on in one epoch."""
        return len(self.training)

    @property
    def n_val(self) -> int:
        """Validation conditions."""
        return len(self.validation)

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Shuffled minibatches; a last one of a single row (too few for BatchNorm) is dropped."""
        return _loader(self.training, ShuffledBatches(self.n_train, self.batch_size))

    def val_dataloader(self) -> DataLoader[dict[str, Tensor]] | list[None]:
        """Minibatches of the validation conditions, in order."""
        if not self.n_val:
            return []
        rows = SequentialSampler(self.validation)
        return _loader(self.validation, BatchSampler(rows, self.batch_size, drop_last=False))


def _in_training(table: ConditionTable) -> BoolArray:
    return (table.obs[SPLIT] == TRAIN).to_numpy()


def _targeted(positions: IntArray, n_nodes: int) -> Tensor:
    targeted = torch.zeros(n_nodes + 1, dtype=torch.bool)
    targeted[torch.from_numpy(positions.ravel())] = True
    return targeted[:n_nodes]


def _controls(table: ConditionTable) -> BoolArray:
    return table.obs[CONTROL].to_numpy(dtype=bool)


def check_unit(unit: str, controls: str) -> None:
    """Raise a ValueError if a training unit and its controls do not go together."""
    if unit not in ("pseudobulk", "cell"):
        raise ValueError(f"unit must be 'pseudobulk' or 'cell', not {unit!r}.")
    if controls not in ("averaged", "sampled"):
        raise ValueError(f"controls must be 'averaged' or 'sampled', not {controls!r}.")
    if unit == "pseudobulk" and controls == "sampled":
        raise ValueError(
            "A pseudobulk mean has no single control cell to be matched with: train with "
            "unit='cell' to sample controls, or with controls='averaged'."
        )


def _conditions(table: ConditionTable, nodes: pd.Index, matching: Matching) -> ConditionDataset:
    table = table.subset(_by_content(table))
    return ConditionDataset(table, encode_targets(table.obs[PERTURBATION], nodes), matching)


def _by_content(table: ConditionTable) -> IntArray:
    """Return an order of conditions that does not depend on what batches are called.

    Batches of one perturbation are told apart by their controls.
    """
    controls = table.controls
    total = np.nan_to_num(controls.mean).sum(axis=1, dtype=np.float64).round(3)
    of_batch = total[table.context], controls.obs[N_CELLS].to_numpy()[table.context]
    named = [name for name in (MODALITY, CELL_LINE, PERTURBATION) if name in table.obs]
    labels = [table.obs[name].to_numpy(dtype=str) for name in named]
    return np.lexsort((*of_batch, *labels)).astype(np.int64)


def _loader(
    dataset: ConditionDataset | CellDataset, batches: Sampler[list[int]]
) -> DataLoader[dict[str, Tensor]]:
    """Yield whole minibatches: one indexing per batch instead of one per row."""
    return DataLoader(
        dataset,
        sampler=batches,
        batch_size=None,
        num_workers=settings.dl_num_workers,
        persistent_workers=settings.dl_persistent_workers,
    )
