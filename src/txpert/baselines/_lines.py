"""What the baselines that look across cell lines share."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import CELL_LINE, N_CELLS, PERTURBATION
from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable, ControlProfiles, canonical_label, parse_targets
from txpert.effects import Effects, condition_table
from txpert.metrics import pearson_delta

from ._base import Baseline


class CellLineBaseline(Baseline):
    """Takes Δ from the other training lines, according to how like the line they are."""

    def __init__(self, pseudobulk: AnnData | ConditionTable) -> None:
        table = condition_table(pseudobulk)
        super().__init__(table.controls)
        rows = table.training()
        lines = rows.obs[CELL_LINE].astype(str).to_numpy()
        self._lines = {line: Effects.of(rows.subset(lines == line)) for line in np.unique(lines)}

    def similarity(self, cell_line: str, *, controls: ControlProfiles | None = None) -> pd.Series:
        """Say how like a cell line the other training lines are.

        Parameters
        ----------
        cell_line
            Any line that has controls.
        controls
            Where these are; by default in the pseudobulk.

        Returns
        -------
        Correlation with each other training line. The name of the series tells of what:
        ``"delta"`` or ``"control"``.

        Raises
        ------
        KeyError
            If the line has no controls.
        """
        others = [line for line in self._lines if line != cell_line]
        own = self._lines.get(cell_line)
        if own is not None:
            values = np.array([_shared_correlation(own, self._lines[line]) for line in others])
            if np.isfinite(values).all():
                return pd.Series(values, index=others, name="delta", dtype=float)
        profile = _line_profile(controls or self.control_profiles, cell_line)
        theirs = [_line_profile(self.control_profiles, line) for line in others]
        values = pearson_delta(
            np.tile(profile, (len(others), 1)), np.reshape(theirs, (len(others), len(profile)))
        )
        return pd.Series(values, index=others, name="control", dtype=float)

    def _delta(
        self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        delta = np.empty((len(obs), len(profiles.genes)), dtype=np.float32)
        for line, rows in obs.groupby(CELL_LINE).indices.items():
            similarity = self.similarity(str(line), controls=profiles)
            code, labels = pd.factorize(obs[PERTURBATION].iloc[rows])
            effects = [self._effect(canonical_label(p), str(line), similarity) for p in labels]
            delta[rows] = np.stack(effects)[code]
        return delta

    def _effect(self, label: str, line: str, similarity: pd.Series) -> FloatArray:
        known = self._known(label, line, similarity)
        if known is not None:
            return known
        parts = [self._known(target, line, similarity) for target in parse_targets(label)]
        mean = self._mean_effect(line, similarity)
        return np.sum([mean if part is None else part for part in parts], axis=0)

    def _known(self, label: str, line: str, similarity: pd.Series) -> FloatArray | None:
        """Return Δ in the line itself, or else from the other lines that have it."""
        if line in self._lines and label in self._lines[line].row:
            return self._lines[line].get(label)
        have = [other for other in similarity.index if label in self._lines[other].row]
        if not have:
            return None
        effects = np.stack(
            [self._lines[other].delta[self._lines[other].row[label]] for other in have]
        )
        return self._share(similarity[have].to_numpy()) @ effects

    def _mean_effect(self, line: str, similarity: pd.Series) -> FloatArray:
        if line in self._lines:
            return self._lines[line].mean_single
        means = np.stack([self._lines[other].mean_single for other in similarity.index])
        return self._share(similarity.to_numpy()) @ means

    @abstractmethod
    def _share(self, similarity: FloatArray) -> FloatArray:
        """Return each line's share, from its similarity; the shares sum to 1."""


def _shared_correlation(one: Effects, other: Effects) -> float:
    """Mean correlation of Δ over the perturbations that both lines have; NaN without any."""
    shared = one.labels.intersection(other.labels)
    first, second = (effects.delta[effects.labels.get_indexer(shared)] for effects in (one, other))
    values = pearson_delta(first, second)
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else np.nan


def _line_profile(profiles: ControlProfiles, line: str) -> FloatArray:
    """Average the control profiles of a line's batches by their numbers of cells."""
    here = (profiles.obs[CELL_LINE].astype(str) == line).to_numpy()
    if not here.any():
        raise KeyError(
            f"There are no controls of cell line {line!r}; there are of "
            f"{', '.join(sorted(set(profiles.obs[CELL_LINE].astype(str))))}."
        )
    return np.average(profiles.mean[here], axis=0, weights=profiles.obs[N_CELLS][here])
