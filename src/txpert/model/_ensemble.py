"""The ensemble: a weighted sum of components, by kind of perturbation."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scvi import settings

from txpert._constants import PERTURBATION
from txpert._types import BoolArray, FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._controls import ControlProfiles
from txpert.data._tokens import canonical_label, parse_targets
from txpert.effects._contexts import Context
from txpert.effects._line_effects import contexts_of
from txpert.effects._target_effect import TargetEffect

from ._component import (
    COMPONENTS,
    COMPOSED,
    ELSEWHERE,
    GAUSSIAN_PROCESS,
    MEASURED,
    NETWORK,
    NEW,
    TRANSFERRED,
    Component,
    Sources,
    Training,
)
from ._components import GaussianProcessComponent, NetworkComponent
from ._stacking import HeldOut, Weights, calibration_of, stack
from ._weighted_sum import Curves, apply_curves, weighted_sum


@dataclass(frozen=True)
class Ensemble:
    r"""Combines the components of a prediction.

    .. math:: \hat\Delta = T + s\,\Big(D^{(0)} + \sum_c w_c\,(D^{(c)} - D^{(0)})\Big),
              \qquad w_c, s \ge 0,

    with the effect T on the targets themselves (``TargetEffect``) and the
    components D in the order of :func:`txpert.model.show`: by default the mean effect, a Gaussian
    process and the network. The weights are fitted by :func:`stack` for each kind of condition by
    itself: "measured" (in training, in this cell line), "measured elsewhere" (in other lines, and
    others in this one), "of an unseen line" (measured in other lines, and nothing in this one),
    "composed" (a combination of which all targets are in training), and "new". A kind without
    held-out perturbations has the expected weights. Where their effects are not linear in the
    prediction, :class:`Calibration` corrects that for single targets. A component alone is neither
    scaled nor calibrated.

    Attributes
    ----------
    target
        Effect on the targets; components predict what perturbations do besides.
    labels
        Perturbations in training, by cell line and modality.
    components
        By name.
    weights
        By kind.
    """

    target: TargetEffect
    labels: Mapping[Context, frozenset[str]]
    components: Mapping[str, Component]
    weights: Mapping[str, Weights] = field(default_factory=dict)

    @classmethod
    def fit(cls, training: ConditionTable, names: Sequence[str], sources: Sources) -> Ensemble:
        """Fit the components to training conditions; the weights are still to be fitted."""
        target = TargetEffect.fit(training)
        data = Training(target.removed_from(training))
        components = {name: COMPONENTS[name].cls.fit(data, sources) for name in names}
        labels = training.obs[PERTURBATION].astype(str).map(canonical_label)
        of_context: dict[Context, set[str]] = {}
        for context, label in zip(contexts_of(training.obs), labels, strict=True):
            of_context.setdefault(context, set()).add(label)
        return cls(target, {c: frozenset(of) for c, of in of_context.items()}, components)

    @classmethod
    def of_network(cls, sources: Sources) -> Ensemble:
        """Return the network alone, which learns the effect on the targets, too."""
        network = NetworkComponent(sources.network)
        return cls(TargetEffect(0.0), {}, {NETWORK: network})

    @property
    def first(self) -> str:
        """The component that the others correct."""
        return next(iter(self.components))

    @property
    def targets(self) -> list[str]:
        """Targets of the perturbations in training, sorted."""
        return sorted({target for label in self._anywhere for target in parse_targets(label)})

    @cached_property
    def _anywhere(self) -> frozenset[str]:
        return frozenset().union(*self.labels.values())

    def __str__(self) -> str:
        lines = []
        if self.explained < 1:
            lines.append(
                f"Kernels explain {self.explained:.0%} of the variance of effects in training."
            )
        if len(self.components) == 1:
            return "\n".join([*lines, f"Prediction: {self.first}"])
        for kind in self.weights:
            weights = self.weights_of(kind)
            others = [f"{w:.1f} ({name} - {self.first})" for name, w in weights.of.items()]
            combined = " + ".join([self.first, *others])
            calibrated = "" if weights.calibration is None else ", calibrated"
            lines.append(f"{kind}: {weights.scale:.2f} × ({combined}){calibrated}")
        return "\n".join([*lines[:1], "Prediction of perturbations that are", *lines[1:]])

    @property
    def explained(self) -> float:
        """Fraction of the variance of training effects that graphs and features explain."""
        return min(component.explained for component in self.components.values())

    @property
    def reads(self) -> list[str]:
        """Columns of the conditions that the components read."""
        columns = [column for c in self.components.values() for column in c.reads]
        return list(dict.fromkeys(columns))

    def kinds(self, conditions: pd.DataFrame) -> npt.NDArray[np.str_]:
        """Return the kind of each condition, ``(n_conditions,)``.

        Parameters
        ----------
        conditions
            perturbation, cell_line and, if there are several, modality.
        """
        pairs = zip(conditions[PERTURBATION].astype(str), contexts_of(conditions), strict=True)
        return np.array([self._kind(*pair) for pair in pairs], dtype=str)

    def _kind(self, label: str, context: Context) -> str:
        label, known = canonical_label(label), self._of_modality.get(context.modality, frozenset())
        if label in known:
            if context not in self.labels:
                return TRANSFERRED
            return MEASURED if label in self.labels[context] else ELSEWHERE
        return COMPOSED if known.issuperset(parse_targets(label)) else NEW

    @cached_property
    def _of_modality(self) -> dict[str, frozenset[str]]:
        """Perturbations in training by modality, over all cell lines."""
        found: dict[str, frozenset[str]] = {}
        for context, labels in self.labels.items():
            found[context.modality] = found.get(context.modality, frozenset()) | labels
        return found

    def expected(self, kind: str, n_held_out: int = 0) -> Weights:
        """Return the weights to start from, which few held-out perturbations hardly move.

        A later component claims its part before an earlier one (:meth:`Component.claim`).
        """
        left, of = 1.0, {}
        for name, component in reversed(list(self.components.items())):
            of[name] = left * component.claim(kind, n_held_out, self.explained)
            left -= of[name]
        return Weights({name: of[name] for name in list(self.components)[1:]})

    def weights_of(self, kind: str) -> Weights:
        """Return fitted weights, or else those to expect.

        An unseen line, and what was measured elsewhere unless some of it was held out, is
        calibrated like new perturbations.
        """
        weights = self.weights.get(kind) or self.expected(kind)
        if kind == TRANSFERRED or (kind == ELSEWHERE and kind not in self.weights):
            of_new = self.weights.get(NEW)
            return replace(weights, calibration=None if of_new is None else of_new.calibration)
        return weights

    def weigh(self, held_out: HeldOut) -> Ensemble:
        """Return the ensemble with weights fitted on held-out perturbations.

        A component that has diverged on them, with NaN as Δ, gets no weight.
        """
        weights = {}
        for kind in np.unique(held_out.kinds):
            some = held_out.of_kind(kind)
            diverged = [name for name in some.predicted if name not in some.finite]
            if diverged:
                _warn_of_nan(diverged)
            expected = self.expected(kind, 0 if diverged else len(some.kinds))
            confidence = self.explained if kind == NEW else 1.0
            usable = some.of(some.finite)
            found = stack(usable, expected, confidence)
            # Few lines are held out, and they differ in the size of effects, which is no bend.
            bend = None if kind == TRANSFERRED else calibration_of(usable, found)
            of = dict.fromkeys(expected.of, 0.0) | dict(found.of)
            weights[str(kind)] = Weights(of, found.scale, bend)
        return replace(self, weights=weights)

    def deltas(
        self,
        conditions: pd.DataFrame,
        profiles: ControlProfiles,
        context: IntArray,
        names: Collection[str] | None = None,
    ) -> dict[str, FloatArray]:
        """Return Δ by each component, ``(n_conditions, n_genes)``; the first is among them.

        Where one does not cover a condition, Δ is that of the first, as in :meth:`delta`.
        """
        first = self.components[self.first].delta(conditions, profiles, context)
        found = {self.first: first}
        for name, component in self.components.items():
            if name != self.first and (names is None or name in names):
                rows = component.covers(conditions)
                found[name] = _of_rows(component, rows, first, conditions, profiles, context)
        return found

    def delta(
        self,
        conditions: pd.DataFrame,
        profiles: ControlProfiles,
        context: IntArray,
        out: FloatArray | None = None,
    ) -> tuple[FloatArray, pd.DataFrame]:
        """Return Δ without the effect on the targets, and what it is made of.

        Parameters
        ----------
        conditions
            perturbation, cell_line and batch of each.
        profiles
            Control profiles.
        context
            Position of each condition's controls among them.
        out
            What Δ is written to.

        Returns
        -------
        Δ, ``(n_conditions, n_genes)``, and a frame with the norm of each component's term.
        """
        kinds = self.kinds(conditions)
        weights = {kind: self.weights_of(kind) for kind in np.unique(kinds)}
        scale = np.array([weights[kind].scale for kind in kinds], dtype=np.float32)
        first = self.components[self.first].delta(conditions, profiles, context)
        others = {}
        for name, component in list(self.components.items())[1:]:
            weight = np.array([weights[kind].of.get(name, 0.0) for kind in kinds], np.float32)
            rows = (weight > 0) & component.covers(conditions)
            if rows.any():  # what has no weight is not computed, and may be NaN
                found = _of_rows(component, rows, first, conditions, profiles, context)
                others[name] = found, scale * weight
        curves = self._curves(conditions, kinds)
        total = np.empty_like(first) if out is None else out
        norms, diverged = weighted_sum(first, scale, others, curves, total)
        if diverged:
            _warn_of_nan(diverged)
        sizes = pd.DataFrame(dict(zip([self.first, *others], norms, strict=True)))
        return total, sizes.reindex(columns=[*self.components], fill_value=np.float32(0))

    def calibrate(
        self, delta: FloatArray, conditions: pd.DataFrame, kinds: npt.NDArray[np.str_]
    ) -> None:
        """Calibrate Δ of single targets in place."""
        apply_curves(delta, self._curves(conditions, kinds))

    def _curves(self, conditions: pd.DataFrame, kinds: npt.NDArray[np.str_]) -> Curves:
        """Return the calibrations of conditions, which are for single targets."""
        of_kind = {kind: self.weights_of(kind).calibration for kind in np.unique(kinds)}
        return [
            (curve, is_single(conditions) & (kinds == kind))
            for kind, curve in of_kind.items()
            if curve is not None
        ]

    def in_batches(self, size: int) -> Ensemble:
        """Return the ensemble whose network decodes so many conditions at once."""
        return replace(
            self, components={n: c.in_batches(size) for n, c in self.components.items()}
        )

    @property
    def process(self) -> GaussianProcessComponent | None:
        """The Gaussian process, if it is a component."""
        component = self.components.get(GAUSSIAN_PROCESS)
        return component if isinstance(component, GaussianProcessComponent) else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain arrays, numbers and strings, for saving."""
        return {
            "target": self.target.to_dict(),
            "contexts": np.array([*self.labels], dtype=str).reshape(-1, 2),
            "labels": [np.array(sorted(of), dtype=str) for of in self.labels.values()],
            "targets": np.array(self.targets, dtype=str),
            "components": {name: c.to_dict() for name, c in self.components.items()},
            "weights": {kind: weights.to_dict() for kind, weights in self.weights.items()},
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], sources: Sources) -> Ensemble:
        """Rebuild what :meth:`to_dict` returned."""
        return cls(
            TargetEffect(**state["target"]),
            {
                Context(*pair): frozenset(of.tolist())
                for pair, of in zip(state["contexts"].tolist(), state["labels"], strict=True)
            },
            {
                name: COMPONENTS[name].cls.from_dict(of, sources)
                for name, of in state["components"].items()
            },
            {kind: Weights.from_dict(weights) for kind, weights in state["weights"].items()},
        )


def _of_rows(
    component: Component,
    rows: BoolArray,
    first: FloatArray,
    conditions: pd.DataFrame,
    profiles: ControlProfiles,
    context: IntArray,
) -> FloatArray:
    """Return Δ of conditions by a component, of those not among the rows by the first."""
    if rows.all():
        return component.delta(conditions, profiles, context)
    found = first.copy()
    if rows.any():
        found[rows] = component.delta(conditions[rows], profiles, context[rows])
    return found


def is_single(conditions: pd.DataFrame) -> BoolArray:
    """Say which conditions have one target, ``(n_conditions,)``."""
    return np.array([len(parse_targets(label)) == 1 for label in conditions[PERTURBATION]])


def _warn_of_nan(names: Sequence[str]) -> None:
    warnings.warn(
        f"The component {names[0]!r} predicts NaN, its training has diverged: it is left out. "
        "Train with a lower learning rate to use it.",
        UserWarning,
        stacklevel=settings.warnings_stacklevel,
    )
