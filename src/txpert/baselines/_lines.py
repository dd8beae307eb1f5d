"""What the baselines that look across cell lines share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import numpy as np
import pandas as pd

from txpert._constants import CELL_LINE, MODALITY, N_CELLS, PERTURBATION
from txpert._types import BoolArray, FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._controls import ControlProfiles
from txpert.data._tokens import canonical_label, parse_targets
from txpert.effects._contexts import Context
from txpert.effects._effects import Effects
from txpert.effects._line_effects import LineEffects, check_modalities, contexts_of
from txpert.metrics import pearson_delta

from ._base import Baseline


class LineBaseline(Baseline):
    """Predicts the perturbations of each cell line from the effects in all training lines."""

    _modalities_apart = False
    """Whether effects of two modalities stay apart; else they are averaged like batches."""

    def _fit(self, table: ConditionTable) -> None:
        rows = table.training()
        self._modalities = frozenset[str]()
        if MODALITY in rows.obs:
            if self._modalities_apart:
                self._modalities = frozenset(table.obs[MODALITY].astype(str))
            else:
                rows = replace(rows, obs=rows.obs.drop(columns=MODALITY))
        self._effects = LineEffects.of(rows)

    def _delta(
        self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        if self._modalities:
            check_modalities(obs, self._modalities)
        elif MODALITY in obs:
            obs = obs.drop(columns=MODALITY)
        labels = obs[PERTURBATION].map(canonical_label).to_numpy(dtype=object)
        rows_of: dict[Context, list[int]] = {}
        for row, where in enumerate(contexts_of(obs)):
            rows_of.setdefault(where, []).append(row)
        delta = np.empty((len(obs), len(profiles.genes)), dtype=np.float32)
        for where, rows in rows_of.items():
            code, names = pd.factorize(labels[rows])
            delta[rows] = self._in_context(list(names), where, profiles)[code]
        return delta

    @abstractmethod
    def _in_context(
        self, labels: list[str], context: Context, profiles: ControlProfiles
    ) -> FloatArray:
        """Return Δ of perturbations (canonical) in a cell line, ``(n_labels, n_genes)``."""


class CellLineBaseline(LineBaseline):
    """Takes Δ from the other training lines, according to how similar they are."""

    def _fit(self, table: ConditionTable) -> None:
        super()._fit(table)
        self._lines = {of.cell_line: found for of, found in self._effects.of_context.items()}
        self._measured = measured_in_lines(table.training())

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
        Correlation with each other training line over the genes that both measured. The name of
        the series says of what: ``"delta"`` or ``"control"``.

        Raises
        ------
        KeyError
            If the line has no controls.
        """
        others = [line for line in self._lines if line != cell_line]
        own = self._lines.get(cell_line)
        if own is not None:
            values = np.array([self._shared_correlation(cell_line, line) for line in others])
            if np.isfinite(values).all():
                return pd.Series(values, index=others, name="delta", dtype=float)
        profile = _line_profile(controls or self.control_profiles, cell_line)
        theirs = [_line_profile(self.control_profiles, line) for line in others]
        values = _correlation(
            np.tile(profile, (len(others), 1)), np.reshape(theirs, (len(others), len(profile)))
        )
        return pd.Series(values, index=others, name="control", dtype=float)

    def _shared_correlation(self, line: str, other: str) -> float:
        """Mean correlation of Δ over the perturbations that both lines have; NaN without any."""
        both = self._lines[line], self._lines[other]
        shared = both[0].labels.intersection(both[1].labels)
        measured = self._measured[line] & self._measured[other]
        first, second = (
            np.where(measured, effects.delta[effects.labels.get_indexer(shared)], np.nan)
            for effects in both
        )
        values = _correlation(first, second)
        defined = values[np.isfinite(values)]
        return float(defined.mean()) if len(defined) else np.nan

    def _in_context(
        self, labels: list[str], context: Context, profiles: ControlProfiles
    ) -> FloatArray:
        line = context.cell_line
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


def measured_in_lines(rows: ConditionTable) -> dict[str, BoolArray]:
    """Return the genes that any condition of each cell line measured, ``(n_genes,)``."""
    lines = rows.obs[CELL_LINE].astype(str).to_numpy()
    return {str(line): np.isfinite(rows.mean[lines == line]).any(axis=0) for line in set(lines)}


def _correlation(one: FloatArray, other: FloatArray) -> FloatArray:
    """Correlate rows over the genes that both measured."""
    both = np.isfinite(one) & np.isfinite(other)
    return pearson_delta(one, other, genes=None if both.all() else both)


def _line_profile(profiles: ControlProfiles, line: str) -> FloatArray:
    """Average the control profiles of a line's batches by their numbers of cells.

    A gene has its mean over the batches that measured it, and is NaN without any.
    """
    here = (profiles.obs[CELL_LINE].astype(str) == line).to_numpy()
    if not here.any():
        raise KeyError(
            f"There are no controls of cell line {line!r}; there are of "
            f"{', '.join(sorted(set(profiles.obs[CELL_LINE].astype(str))))}."
        )
    measured = np.ma.masked_invalid(profiles.mean[here])
    weights = profiles.obs[N_CELLS].to_numpy()[here]
    return np.asarray(np.ma.filled(np.ma.average(measured, axis=0, weights=weights), np.nan))
