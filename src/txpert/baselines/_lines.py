"""What the baselines that look across cell lines share."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import pandas as pd

from txpert._constants import CELL_LINE, N_CELLS, PERTURBATION
from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._controls import ControlProfiles
from txpert.data._tokens import canonical_label, parse_targets
from txpert.effects._effects import Effects
from txpert.metrics import pearson_delta

from ._base import Baseline


class LineBaseline(Baseline):
    """Predicts the perturbations of each cell line from the effects in all training lines."""

    def _fit(self, table: ConditionTable) -> None:
        self._lines = effects_of_lines(table.training())

    def _delta(
        self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        delta = np.empty((len(obs), len(profiles.genes)), dtype=np.float32)
        for line, rows in obs.groupby(CELL_LINE).indices.items():
            code, labels = pd.factorize(obs[PERTURBATION].iloc[rows].map(canonical_label))
            delta[rows] = self._in_line(list(labels), str(line), profiles)[code]
        return delta

    @abstractmethod
    def _in_line(self, labels: list[str], line: str, profiles: ControlProfiles) -> FloatArray:
        """Return Δ of perturbations (canonical) in a line, ``(n_labels, n_genes)``."""

    def _over_lines(self, line: str) -> FloatArray:
        """Return the mean effect of single genes in a line, or else over all lines."""
        own = self._lines.get(line)
        if own is not None:
            return own.mean_single
        return np.mean([effects.mean_single for effects in self._lines.values()], axis=0)


class CellLineBaseline(LineBaseline):
    """Takes Δ from the other training lines, according to how similar they are."""

    def similarity(self, cell_line: str, *, controls: ControlProfiles | None = None) -> pd.Series:
        """Return how similar the other training lines are to a cell line.

        Parameters
        ----------
        cell_line
            Any line that has controls.
        controls
            Where these are; by default in the data fitted to.

        Returns
        -------
        Correlation with each other training line. The name of the series says of what:
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

    def _in_line(self, labels: list[str], line: str, profiles: ControlProfiles) -> FloatArray:
        similarity = self.similarity(line, controls=profiles)
        wanted = dict.fromkeys([*labels, *(t for label in labels for t in parse_targets(label))])
        found = {label: self._known(label, line, similarity) for label in wanted}
        known = {label: effect for label, effect in found.items() if effect is not None}
        mean = self._mean_effect(line, similarity)
        delta = np.stack([*known.values()]) if known else np.empty((0, len(mean)), np.float32)
        effects = Effects(pd.Index(known, dtype=object), delta, np.ones(len(known), np.int64))
        return effects.general(labels, mean)

    def _known(self, label: str, line: str, similarity: pd.Series) -> FloatArray | None:
        """Return Δ in the line itself, or else from the other lines that have it."""
        if line in self._lines and label in self._lines[line].row:
            return self._lines[line].get(label)
        have = [other for other in similarity.index if label in self._lines[other].row]
        if not have:
            return None
        lines = [self._lines[other] for other in have]
        effects = np.stack([effects.delta[effects.row[label]] for effects in lines])
        return self._fractions(similarity[have].to_numpy()) @ effects

    def _mean_effect(self, line: str, similarity: pd.Series) -> FloatArray:
        if line in self._lines:
            return self._lines[line].mean_single
        means = np.stack([self._lines[other].mean_single for other in similarity.index])
        return self._fractions(similarity.to_numpy()) @ means

    @abstractmethod
    def _fractions(self, similarity: FloatArray) -> FloatArray:
        """Return the weight of each line, from its similarity; the weights sum to 1."""


def effects_of_lines(rows: ConditionTable) -> dict[str, Effects]:
    """Average perturbed conditions over the batches of each cell line."""
    lines = rows.obs[CELL_LINE].astype(str).to_numpy()
    return {str(line): Effects.of(rows.subset(lines == line)) for line in np.unique(lines)}


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
