"""Δ of single targets as they count within pairs, for ranking all pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from txpert._constants import COMBINATION, PERTURBATION
from txpert._types import BoolArray, FloatArray, IntArray
from txpert.data._controls import ControlProfiles
from txpert.data._tokens import canonical_label, parse_targets
from txpert.effects._confidence import specific_of
from txpert.effects._line_effects import contexts_of

from ._component import COMPOSED, NEW
from ._ensemble import Ensemble
from ._terms import add_up, coefficients, component_deltas

_CHUNK = 1_024
_SAMPLE = 32
_TOLERANCE = 1e-3


def single_targets(nodes: pd.Index) -> list[str]:
    """Return the nodes that can be asked for: a gene such as CTRL reads as a control."""
    return [str(node) for node in nodes if parse_targets(str(node)) == (str(node),)]


@dataclass(frozen=True)
class Asked:
    """Single perturbations and pairs of them in one context.

    A prediction is a sum over components whose coefficients depend on the kind of the condition.
    The mean effect, the Gaussian process and the low-rank network with summed embeddings are sums
    over targets, so that within one kind Δ of a pair is the sum of two vectors. A pair of targets
    that were both measured is "composed", others are "new", and measured pairs are predicted by
    themselves.

    Attributes
    ----------
    ensemble
        Components and weights.
    profiles
        Control profiles.
    context
        cell_line, batch and modality, a frame of one row with any perturbation.
    """

    ensemble: Ensemble
    profiles: ControlProfiles
    context: pd.DataFrame

    def conditions(self, labels: Sequence[str]) -> tuple[pd.DataFrame, IntArray]:
        """Return one condition per label, and the position of the context."""
        rows = self.context.iloc[np.zeros(len(labels), dtype=int)].reset_index(drop=True)
        named = rows.assign(**{PERTURBATION: np.asarray(labels, dtype=object)})
        return self.profiles.conditions(named)

    def delta(self, labels: Sequence[str]) -> FloatArray:
        """Return the predicted Δ of perturbations, ``(n_labels, n_genes)``."""
        obs, context = self.conditions(labels)
        found = self.ensemble.delta(obs, self.profiles, context)[0]
        row, column, change = self.ensemble.target.entries(obs, self.profiles, context)
        found[row, column] += change
        return found

    def chunks(self, labels: Sequence[str]) -> Iterator[tuple[slice, list[str]]]:
        """Yield positions and labels of some perturbations at a time."""
        for first in range(0, len(labels), _CHUNK):
            yield slice(first, first + _CHUNK), list(labels[first : first + _CHUNK])

    def within_pairs(self, genes: Sequence[str], kind: str) -> FloatArray:
        """Return what each gene adds to a pair of a kind, ``(n_genes_asked, n_genes)``."""
        obs, context = self.conditions(genes)
        names = {name for name, c in coefficients(self.ensemble, kind).items() if c}
        deltas = component_deltas(self.ensemble, names, obs, self.profiles, context)
        return add_up(self.ensemble, kind, deltas, obs, self.profiles, context)

    def specific(self, labels: Sequence[str]) -> FloatArray:
        """Return the fraction of variance explained, NaN without the Gaussian process."""
        process = self.ensemble.process
        if process is None:
            return np.full(len(labels), np.nan)
        parts: list[FloatArray] = [np.zeros(0)]
        for _, some in self.chunks(labels):
            obs = self.conditions(some)[0]
            targets = [parse_targets(label) for label in obs[PERTURBATION]]
            of = process.process, process.kernels, targets, contexts_of(obs)
            parts.append(specific_of(*of))
        return np.concatenate(parts)

    def composed(self, genes: Sequence[str]) -> BoolArray:
        """Say which genes make composed pairs with each other: they were measured."""
        return np.asarray(self.ensemble.kinds(self.conditions(genes)[0]) != NEW)

    def measured_pairs(self, genes: Sequence[str]) -> list[str]:
        """Return pairs of genes asked for that training has, in any context."""
        asked = set(genes)
        labels = sorted(
            {canonical_label(name) for of in self.ensemble.labels.values() for name in of}
        )
        known = [name for name in labels if len(parse_targets(name)) == 2]
        return [name for name in known if set(parse_targets(name)) <= asked]

    def is_additive(self, genes: Sequence[str]) -> bool:
        """Say whether Δ of pairs is the sum over targets, by 32 random pairs of each kind."""
        rng, measured = np.random.default_rng(0), set(self.measured_pairs(genes))
        composed = self.composed(genes)
        pools = [(COMPOSED, np.flatnonzero(composed)), (NEW, np.flatnonzero(~composed))]
        for kind, pool in pools:
            if len(pool) < 2:
                continue
            drawn = [rng.choice(pool, 2, replace=False) for _ in range(_SAMPLE)]
            pairs = [(genes[i], genes[j]) for i, j in drawn]
            labels = [COMBINATION.join(sorted(pair)) for pair in pairs]
            kept = [k for k, label in enumerate(labels) if label not in measured]
            if not kept:
                continue
            whole = self.delta([labels[k] for k in kept])
            halves = [self.within_pairs([pairs[k][side] for k in kept], kind) for side in (0, 1)]
            error = np.linalg.norm(whole - halves[0] - halves[1], axis=1)
            if (error > _TOLERANCE * np.maximum(np.linalg.norm(whole, axis=1), 1e-6)).any():
                return False
        return True
