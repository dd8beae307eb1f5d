"""The covariance of simulated effects between conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from txpert._constants import CELL_LINE, PERTURBATION
from txpert._types import FloatArray
from txpert.data._tokens import parse_targets
from txpert.graph import KnowledgeGraph

from ._effects import STRENGTH_SHAPE, STRESS_SIZE, graph_spread
from ._parameters import SimulationParameters


class EffectCovariance:
    """Covariance of effects between conditions, averaged over genes, up to scale."""

    def __init__(self, graph: KnowledgeGraph, settings: SimulationParameters) -> None:
        self.nodes, self.settings = graph.nodes, settings
        self.spread = graph_spread(graph)
        self.center = np.asarray(self.spread.mean(axis=0))
        variance = self.spread.power(2).sum() / graph.n_nodes - (self.center**2).sum()
        self.scale = max(float(variance), 1e-12)

    def __call__(self, left: pd.DataFrame, right: pd.DataFrame) -> FloatArray:
        """Return covariances, shape ``(len(left), len(right))``."""
        settings = self.settings
        names, (of_left, of_right) = _memberships(left, right)
        program = settings.n_programs * settings.program_size * settings.effect_scale**2
        stress = STRESS_SIZE * settings.stress_scale**2
        same_line = np.equal.outer(*(f[CELL_LINE].astype(str).to_numpy() for f in (left, right)))
        share = settings.line_activity * settings.line_programs
        effect = program * (of_left @ self._activity(names) @ of_right.T)
        shared = of_left.sum(axis=1, keepdims=True) @ of_right.sum(axis=1, keepdims=True).T
        strength = stress * (shared + of_left @ of_right.T / STRENGTH_SHAPE)
        return effect * np.where(same_line, 1, share) + strength * np.where(
            same_line, 1, settings.line_programs
        )

    def _activity(self, names: pd.Index) -> FloatArray:
        """Return the covariance of the targets' activities, sizes of effects included."""
        row = self.nodes.get_indexer(names)
        if (row == -1).any():
            raise KeyError(f"The target {names[row == -1][0]!r} is no node of the screen's graph.")
        spread = self.spread[row].toarray() - self.center
        rho, sd = self.settings.graph_share, self.settings.effect_sd
        activity = rho / self.scale * (spread @ spread.T)
        activity[np.diag_indices_from(activity)] += 1 - rho
        mean_squared, mean_of_square = np.exp(sd**2), np.exp(2 * sd**2)
        own = np.diag(np.diagonal(activity) * (mean_of_square - mean_squared))
        return mean_squared * activity + own


def _memberships(left: pd.DataFrame, right: pd.DataFrame) -> tuple[pd.Index, list[Any]]:
    """Return the targets of two lists of conditions, and which condition has which."""
    targets = [frame[PERTURBATION].astype(str).map(parse_targets) for frame in (left, right)]
    names = pd.Index(sorted({name for part in targets for label in part for name in label}))
    members = []
    for part in targets:
        member = np.zeros((len(part), len(names)))
        for i, label in enumerate(part):
            member[i, names.get_indexer(pd.Index(label, dtype=object))] = 1
        members.append(member)
    return names, members
