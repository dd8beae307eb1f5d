"""What a training learns from and what it holds out to choose epochs and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scvi import settings

from txpert._constants import (
    BATCH,
    CELL_LINE,
    MODALITY,
    PERTURBATION,
    SPLIT,
    TEST,
    TRAIN,
    VALIDATION,
)
from txpert._types import BoolArray
from txpert.data import ConditionTable
from txpert.data._batches import average_over_batches
from txpert.data._conditions import pairs
from txpert.data._controls import Matching
from txpert.data._reading import read_labels
from txpert.data._screen import Screen
from txpert.data._tokens import parse_targets
from txpert.splits._assignment import hold_out, split_by_fold

from ._component import COMPONENTS, TRANSFERRED, Sources
from ._ensemble import Ensemble, is_single
from ._stacking import HeldOut

FEW = 100
"""With fewer perturbations each fold is held out in turn, with more only the first."""
_FOLDS = 5
_MOST_LINES = 5


@dataclass(frozen=True)
class TrainingData:
    """The data of a training, in the three forms that its parts need.

    Attributes
    ----------
    screen
        The cells.
    table
        Their pseudobulk.
    pooled
        The pseudobulk, batches of a cell line pooled.
    """

    screen: Screen
    table: ConditionTable
    pooled: ConditionTable

    @classmethod
    def of(cls, screen: Screen, table: ConditionTable) -> TrainingData:
        """Pool the batches, once for all that is trained."""
        return cls(screen, table, table.over_batches())

    def held_out(self, part: Mapping[str, str]) -> TrainingData:
        """Return the data with the training perturbations of a fold's test part as validation.

        Parameters
        ----------
        part
            What ``split_by_fold`` returned.
        """
        return self._resplit(lambda split, perturbation: hold_out(split, perturbation, part))

    def with_validation(self) -> TrainingData:
        """Return the data with the validation perturbations in training."""
        if not self.validated:
            return self
        return self._resplit(lambda split, _: _in_training(split))

    def folds(self) -> list[TrainingData]:
        """Return data that hold some training perturbations out; none if there are too few."""
        reading = read_labels(sorted(self.labels(TRAIN)), self.pooled.genes)
        read = {label: reading.label(label) for label in sorted(self.labels(TRAIN))}
        labels = sorted(set(read.values()))  # guides and spellings of a gene are one
        n_targets = len({target for label in labels for target in parse_targets(label)})
        if n_targets < 2 * _FOLDS:
            return []
        n_used = _FOLDS if len(labels) < FEW else 1
        seed = settings.seed or 0
        parts = [
            split_by_fold(labels, fold, _FOLDS, val_fraction=0.0, seed=seed)
            for fold in range(n_used)
        ]
        return [
            self.held_out({name: part[label] for name, label in read.items() if label in part})
            for part in parts
        ]

    def labels(self, split: str) -> set[str]:
        """Return the perturbations of a split."""
        obs = self.training.obs if split == TRAIN else self.pooled.obs[self._in(split)]
        return set(obs[PERTURBATION].astype(str))

    @property
    def training(self) -> ConditionTable:
        """Perturbed conditions in training, one per cell line × perturbation."""
        return self.pooled.training()

    @property
    def validated(self) -> bool:
        """Whether there are validation perturbations."""
        return bool(self._in(VALIDATION).any())

    @property
    def trained_on(self) -> list[tuple[str, str]]:
        """Perturbation and cell line of all in training, each once."""
        return self.pairs(TRAIN)

    def pairs(self, split: str) -> list[tuple[str, str]]:
        """Return perturbation and cell line of all in a split, each once.

        Where the data name modalities, that stands after the cell line and a bar.
        """
        rows = self.training.obs if split == TRAIN else self.pooled.obs[self._in(split)]
        return list(dict.fromkeys(pairs(rows)))

    def evaluate(self, ensemble: Ensemble, matching: Matching, *, pooled: bool) -> HeldOut:
        """Return Δ of the validation perturbations by each component.

        Parameters
        ----------
        ensemble
            Fitted without them.
        matching
            Of the controls.
        pooled
            Whether no component depends on the batch.
        """
        table = self.pooled if pooled else self.table
        rows = table.subset((table.obs[SPLIT] == VALIDATION).to_numpy())
        profiles = rows.controls.pooled(matching)
        conditions, context = profiles.conditions(rows.obs[_asked(rows.obs)])
        found = ensemble.deltas(conditions, profiles, context)
        predicted = {name: average_over_batches(d, rows.obs)[0] for name, d in found.items()}
        observed, obs = average_over_batches(ensemble.target.removed_from(rows).delta, rows.obs)
        kinds, lines = ensemble.kinds(obs), obs[CELL_LINE].to_numpy(dtype=str)
        return HeldOut(kinds, lines, is_single(obs), predicted, observed).over_measured()

    def _resplit(self, change: Callable[[Any, Any], pd.Categorical[Any]]) -> TrainingData:
        """Return the data with a split made of split and perturbation of each cell or row."""
        split = change(self.screen.split, self.screen.perturbation)
        tables = (
            replace(t, obs=t.obs.assign(**{SPLIT: change(t.obs[SPLIT], t.obs[PERTURBATION])}))
            for t in (self.table, self.pooled)
        )
        return TrainingData(replace(self.screen, split=split), *tables)

    def _in(self, split: str) -> BoolArray:
        return (self.pooled.obs[SPLIT] == split).to_numpy()


def across_lines(
    training: ConditionTable, names: Sequence[str], sources: Sources
) -> list[HeldOut]:
    """Hold out each cell line in turn, to learn what its measurement in others says about it.

    Components trained by minibatches, which would have to be trained again for each, are left
    out: their Δ is that of the first component.

    Parameters
    ----------
    training
        Perturbed conditions in training. Of more than five cell lines, evenly spaced ones are held
        out.
    names, sources
        As in :meth:`Ensemble.fit`. Components fitted to all lines spare most of the time.

    Returns
    -------
    For each cell line the perturbations that another one has too; none with one cell line.
    """
    of_row = training.obs[CELL_LINE].astype(str).to_numpy()
    lines = np.unique(of_row)
    quick = [name for name in names if not COMPONENTS[name].cls.trained_by_minibatches]
    parts: list[HeldOut] = []
    if len(lines) < 2 or not quick:
        return parts
    for line in lines[np.unique(np.linspace(0, len(lines) - 1, _MOST_LINES).astype(int))]:
        ensemble = Ensemble.fit(training.subset(of_row != line), quick, sources)
        rows = training.subset(of_row == line)
        observed, obs = average_over_batches(ensemble.target.removed_from(rows).delta, rows.obs)
        kinds = ensemble.kinds(obs)
        known = kinds == TRANSFERRED
        if not known.any():
            continue
        asked = obs[known].assign(**{BATCH: rows.obs[BATCH].iloc[0]})
        asked = asked[_asked(asked)]
        conditions, context = rows.controls.conditions(asked)
        found = ensemble.deltas(conditions, rows.controls, context)
        predicted = {name: found.get(name, found[ensemble.first]) for name in names}
        held = np.repeat(line, known.sum())
        labels = kinds[known], held, is_single(obs[known])
        parts.append(HeldOut(*labels, predicted, observed[known]).over_measured())
    return parts


def _asked(obs: pd.DataFrame) -> list[str]:
    """Return the columns that name a condition: with the modality, where the data have any."""
    return [name for name in (PERTURBATION, CELL_LINE, BATCH, MODALITY) if name in obs]


def best_epoch(curves: Sequence[Mapping[int, float]]) -> int:
    """Return the epoch of the best mean score; a fold that has stopped keeps its last one."""
    means = pd.DataFrame(dict(enumerate(curves))).sort_index().ffill().mean(axis=1)
    return int(means.index.to_numpy()[means.fillna(-np.inf).argmax()])


def _in_training(split: Any) -> pd.Categorical[Any]:
    given = np.asarray(split, dtype=object)
    return pd.Categorical(
        np.where(given == VALIDATION, TRAIN, given), categories=[TRAIN, VALIDATION, TEST]
    )
