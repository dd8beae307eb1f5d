"""Which training perturbations are held out in turn, and what is learned from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scvi import settings

from txpert._constants import CONTROL, PERTURBATION, SPLIT, TRAIN
from txpert.data import ConditionTable, parse_targets
from txpert.splits import split_by_fold

_FEW, _FOLDS = 100, 5
"""With fewer perturbations each fifth is held out in turn, with more only the first."""


def folds(table: ConditionTable) -> list[dict[str, str]]:
    """Return splits that hold some of the training perturbations out; none if they are few."""
    trained = (table.obs[SPLIT] == TRAIN) & ~table.obs[CONTROL]
    labels = sorted(table.obs.loc[trained, PERTURBATION].astype(str).unique())
    n_targets = len({target for label in labels for target in parse_targets(label)})
    if n_targets < 2 * _FOLDS:
        return []
    n_used = _FOLDS if len(labels) < _FEW else 1
    seed = settings.seed or 0
    return [
        split_by_fold(labels, fold, _FOLDS, val_fraction=0.0, seed=seed) for fold in range(n_used)
    ]


def best_epoch(curves: Sequence[Mapping[int, float]]) -> int:
    """Return the epoch of the best mean score; a fold that has stopped keeps its last one."""
    means = pd.DataFrame(dict(enumerate(curves))).sort_index().ffill().mean(axis=1)
    return int(means.index.to_numpy()[means.fillna(-np.inf).argmax()])
