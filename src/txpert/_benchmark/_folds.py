"""The splits a benchmark runs through, and what a model may see under each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from txpert._constants import (
    BATCH,
    BENCHMARK_KEY,
    CELL_LINE,
    CONTROL,
    MEASURED,
    MODALITY,
    PERTURBATION,
    SPLIT,
    TEST,
    TEST_PERTURBATIONS,
    TRAIN,
    UNS_KEY,
    VALIDATION,
)
from txpert._layers import named_layers
from txpert._types import IntArray
from txpert.data import ConditionTable, ObsKeys
from txpert.data._matrix import place
from txpert.data._screen import Screen
from txpert.evaluation._scoring import HeldOut
from txpert.pp import split, split_fold
from txpert.splits import Task
from txpert.splits._hash import split_hash
from txpert.splits._task import TASKS, make_task, option_names

GROUP = "group"
_STRATIFY = "stratify"
Labels = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Fold:
    """One split to train and test by.

    Attributes
    ----------
    seed
        Seed of the split and of training.
    name
        The fold or the cell line held out; empty where a seed has one split.
    split, group
        Split of each condition, and how hard a held-out one is, ``(n_conditions,)``; ``None``
        where there is none.
    sha256
        As :func:`txpert.pp.split` records it.
    """

    seed: int
    name: str
    split: Labels
    group: Labels
    sha256: str


@dataclass(frozen=True)
class Bench:
    """A screen as all models of a benchmark see it.

    Attributes
    ----------
    adata
        The cells as given.
    screen
        Its expression and annotation, checked.
    table
        Its pseudobulk.
    condition
        Position in the table of each cell's condition, ``(n_cells,)``.
    """

    adata: AnnData
    screen: Screen
    table: ConditionTable
    condition: IntArray

    @classmethod
    def read(cls, adata: AnnData, keys: ObsKeys, layer: str | None) -> Bench:
        """Check and average a screen."""
        screen = Screen.from_anndata(adata, keys, layer)
        screen.check_values(place(layer))
        table = ConditionTable.from_screen(screen)
        return cls(adata, screen, table, table.condition_of(screen))

    def shell(self) -> AnnData:
        """Return the cells under the usual names of obs columns; expression is not copied."""
        obs = pd.DataFrame(
            {
                PERTURBATION: self.screen.perturbation,
                CONTROL: self.screen.control,
                CELL_LINE: self.screen.cell_line,
                BATCH: self.screen.batch,
            },
            index=self.adata.obs_names,
        )
        if self.screen.modality is not None:
            obs[MODALITY] = self.screen.modality
        var = pd.DataFrame(index=self.screen.genes)
        return AnnData(self.screen.X, obs=obs, var=var, varm=self._marks())

    def _marks(self) -> dict[str, pd.DataFrame]:
        """Return which genes each cell line measured, if that is known."""
        measured = self.screen.measured
        return {} if measured is None else {MEASURED: measured.set_axis(self.screen.genes)}

    def content(self) -> dict[str, Any]:
        """Return all that models may see or scores depend on, for the hash of stored runs."""
        shell = self.shell().obs
        own = self.adata.obs.drop(columns=[*shell, SPLIT], errors="ignore")
        return {
            "X": self.screen.X,
            "labels": shell,
            "genes": self.screen.genes,
            "obs": own,
            "var": self.adata.var,
            "layers": named_layers(self.adata),
            "obsm": dict(self.adata.obsm),
            **self._marks(),
        }

    def held_out(self, fold: Fold) -> HeldOut:
        """Return the test conditions of a fold."""
        chosen = fold.split == TEST
        if not chosen.any():
            raise ValueError(
                "No perturbation is in the split 'test'. Run tx.pp.split(adata), or name a task: "
                "task='unseen_perturbation'."
            )
        return HeldOut.of(self.table, chosen)

    def training(self, fold: Fold) -> AnnData:
        """Return a copy of what a model may see: training, validation and control cells.

        What was computed from all cells may tell of the others, so ``uns``, ``varm`` and ``obsp``
        stay behind.
        """
        of_cell = fold.split[self.condition]
        rows = np.flatnonzero(self.screen.control | np.isin(of_cell, [TRAIN, VALIDATION]))
        shell = self.shell().obs
        obs = self.adata.obs.iloc[rows].copy()
        for name in shell:
            column = shell[name].iloc[rows]
            obs[name] = column if name == CONTROL else column.cat.remove_unused_categories()
        parts = [TRAIN, VALIDATION, TEST]
        obs[SPLIT] = pd.Categorical(of_cell[rows], categories=parts)
        tested = np.unique(self.table.obs[PERTURBATION].astype(str)[fold.split == TEST])
        return AnnData(
            self.screen.X[rows],
            obs=obs,
            var=self.adata.var.copy(),
            varm=self._marks(),
            layers={name: values[rows] for name, values in named_layers(self.adata).items()},
            obsm={name: _take(values, rows) for name, values in self.adata.obsm.items()},
            uns={
                f"{UNS_KEY}_{SPLIT}": {"sha256": fold.sha256},
                BENCHMARK_KEY: {TEST_PERTURBATIONS: list(tested)},
            },
        )

    def folds(
        self,
        task: str | Task | None,
        seeds: Sequence[int],
        n_folds: int | None,
        options: Mapping[str, Any],
        groups: pd.Series[Any] | None,
    ) -> Iterator[Fold]:
        """Yield the splits of every seed.

        Parameters
        ----------
        task
            A task of :func:`txpert.pp.split`, or ``None`` for the split that is there.
        seeds
            Seeds of splits and training.
        n_folds
            Number of folds of cross-validation.
        options
            Further arguments of the split.
        groups
            Group of each cell, for the split that is there.
        """
        if task is None:
            yield from self._given(seeds, groups)
            return
        shell = self.shell()
        perturbed = self.table.obs[~self.table.obs[CONTROL]]
        _check_options(options, task, cross_validated=n_folds is not None)
        own = {name: options[name] for name in options if name != _STRATIFY}
        shared = {name: options[name] for name in options if name == _STRATIFY}
        for seed in seeds:
            if n_folds is not None:
                for number in range(n_folds):
                    split_fold(shell, number, n_folds, seed=seed, **options)
                    yield self._fold(shell, seed, f"fold {number}")
                continue
            for name, each in make_task(task, **own).folds(perturbed):
                split(shell, each, seed=seed, **shared)
                yield self._fold(shell, seed, name)

    def _given(self, seeds: Sequence[int], groups: pd.Series[Any] | None) -> Iterator[Fold]:
        if SPLIT not in self.table.obs:
            raise ValueError(
                "There is no split. Run tx.pp.split(adata), or name a task: "
                "task='unseen_perturbation'."
            )
        parts = self.table.obs[SPLIT].astype(object).to_numpy()
        of_group = [None] * len(parts) if groups is None else groups.astype(object).to_numpy()
        first = np.unique(self.condition, return_index=True)[1]
        group = np.asarray(of_group, dtype=object)[first if groups is not None else slice(None)]
        perturbed = self.table.obs[~self.table.obs[CONTROL]]
        fold = Fold(0, "", _or_none(parts), _or_none(group), split_hash(perturbed))
        for seed in seeds:
            yield replace(fold, seed=seed)

    def _fold(self, shell: AnnData, seed: int, name: str) -> Fold:
        first = np.unique(self.condition, return_index=True)[1]
        parts, group = (
            _or_none(shell.obs[key].astype(object).to_numpy()[first])
            for key in (SPLIT, f"{SPLIT}_{GROUP}")
        )
        return Fold(seed, name, parts, group, shell.uns[f"{UNS_KEY}_{SPLIT}"]["sha256"])


def _check_options(options: Mapping[str, Any], task: str | Task, *, cross_validated: bool) -> None:
    """Refuse options that the split does not take; tasks that are objects have theirs."""
    if not cross_validated and (isinstance(task, Task) or task not in TASKS):
        return
    known = [*(["val_fraction"] if cross_validated else option_names(task)), _STRATIFY]
    unknown = [name for name in options if name not in known]
    if unknown:
        what = "cross-validation (n_folds)" if cross_validated else f"the task {task!r}"
        raise ValueError(f"split_options has {unknown[0]!r}, and {what} takes {', '.join(known)}.")


def _or_none(values: Labels) -> Labels:
    kept = values.copy()
    kept[pd.isna(values)] = None
    return kept


def _take(values: Any, rows: IntArray) -> Any:
    return values.iloc[rows] if isinstance(values, pd.DataFrame) else values[rows]
