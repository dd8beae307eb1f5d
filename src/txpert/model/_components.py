"""The components of a prediction: mean effects, the Gaussian process and the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from txpert._constants import BATCH, PERTURBATION
from txpert._types import BoolArray, FloatArray, IntArray
from txpert.data._controls import ControlProfiles
from txpert.data._tokens import canonical_label, parse_targets
from txpert.effects._contexts import Context
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._line_effects import LineEffects, contexts_of
from txpert.effects._posterior import Posterior
from txpert.effects._refit import refit

from ._added_effects import joined, joined_rows, rows_of
from ._component import (
    ELSEWHERE,
    GAUSSIAN_PROCESS,
    MEAN,
    NETWORK,
    NEW,
    TRANSFERRED,
    Component,
    Sources,
    Training,
    register_component,
)
from ._network import Network


def by_context(
    conditions: pd.DataFrame, predict: Callable[[list[str], Context], FloatArray]
) -> FloatArray:
    """Predict each distinct perturbation of a context once, context by context."""
    labels = conditions[PERTURBATION].to_numpy(dtype=object)
    contexts = contexts_of(conditions)
    found: FloatArray | None = None
    for where in sorted(set(contexts)):
        rows = np.flatnonzero([context == where for context in contexts])
        code, names = pd.factorize(labels[rows])
        delta = predict(names.tolist(), where)
        if len(names) < len(rows):
            delta = delta[code]
        if len(rows) == len(labels):
            return delta
        if found is None:
            found = np.empty((len(labels), delta.shape[1]), dtype=delta.dtype)
        found[rows] = delta
    assert found is not None
    return found


@register_component(
    MEAN, description="Own effect, else the sum of the targets' effects, else the line's mean"
)
@dataclass(frozen=True)
class MeanComponent(Component):
    """Mean effects by cell line (``LineEffects``)."""

    effects: LineEffects

    @classmethod
    def fit(cls, training: Training, sources: Sources) -> MeanComponent:
        """Average the effects of each perturbation in each line."""
        return cls(training.line_effects)

    def delta(
        self, conditions: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        """Predict Δ by what was measured."""

        def in_context(labels: list[str], where: Context) -> FloatArray:
            return self.effects.general([canonical_label(label) for label in labels], where)

        return by_context(conditions, in_context)

    def updated(self, training: Training, sources: Sources) -> MeanComponent:
        """Add the new effects."""
        return replace(self, effects=joined(self.effects, training.line_effects))

    def to_dict(self) -> dict[str, Any]:
        """Return the effects."""
        return self.effects.to_dict()

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], sources: Sources) -> MeanComponent:
        """Rebuild from the effects."""
        return cls(LineEffects.from_dict(state))


def _mean_effects(components: Mapping[str, Component]) -> LineEffects | None:
    """Return the mean effects that one of the components holds, if one does."""
    mean = components.get(MEAN)
    return mean.effects if isinstance(mean, MeanComponent) else None


@register_component(
    GAUSSIAN_PROCESS,
    description="Gaussian process over genes and cell lines with kernels of the graphs",
)
@dataclass(frozen=True)
class GaussianProcessComponent(Component):
    """A Gaussian process: similar genes have similar effects, in similar contexts."""

    process: GeneGaussianProcess
    kernels: GeneKernels

    @classmethod
    def fit(cls, training: Training, sources: Sources) -> GaussianProcessComponent:
        """Estimate variances by restricted maximum likelihood, and the posterior mean."""
        targets = {target for names in training.measured.targets for target in names}
        kernels = sources.kernels.among(pd.Index(sorted(targets), dtype=object))
        earlier = sources.earlier.get(GAUSSIAN_PROCESS)
        known = earlier.process.fitted_variances if isinstance(earlier, cls) else None
        return cls(GeneGaussianProcess.fit(training.measured, kernels, known), kernels)

    @property
    def explained(self) -> float:
        """Fraction of the variance of training effects that the kernels explain."""
        return self.process.explained

    def posterior(
        self,
        conditions: pd.DataFrame,
        *,
        return_mean: bool = True,
        return_std: bool = False,
        return_specific: bool = False,
    ) -> Posterior:
        """Return the posterior of conditions, see :meth:`GeneGaussianProcess.predict`."""
        contexts = contexts_of(conditions)
        return self.process.predict(
            [parse_targets(label) for label in conditions[PERTURBATION]],
            self.kernels,
            cell_line=[context.cell_line for context in contexts],
            modality=[context.modality for context in contexts],
            return_mean=return_mean,
            return_std=return_std,
            return_specific=return_specific,
        )

    def delta(
        self, conditions: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        """Predict Δ by the posterior mean."""
        mean = self.posterior(conditions).mean
        assert mean is not None
        return mean

    def updated(self, training: Training, sources: Sources) -> GaussianProcessComponent:
        """Solve again with earlier and new effects, at the variances of training."""
        effects = joined_rows(
            self.process, self.kernels, training.measured, _mean_effects(sources.earlier)
        )
        targets = {target for names in effects.targets for target in names}
        among = sources.kernels.among(pd.Index(sorted(targets), dtype=object))
        return replace(self, process=refit(self.process, effects, among), kernels=among)

    def on_graphs(self, sources: Sources) -> GaussianProcessComponent:
        """Solve again with the kernels of the graphs, at the variances of training."""
        among = sources.kernels.among(self.process.rows.targets)
        effects = rows_of(self.process, self.kernels)
        return replace(self, process=refit(self.process, effects, among), kernels=among)

    def to_dict(self) -> dict[str, Any]:
        """Return variances and weights of the training rows."""
        return self.process.to_dict()

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], sources: Sources) -> GaussianProcessComponent:
        """Rebuild with the model's kernels."""
        process = GeneGaussianProcess.from_dict(state)
        return cls(process, sources.kernels.among(process.rows.targets))

    def claim(self, kind: str, n_held_out: int, explained: float) -> float:
        """Claim all that the network leaves of what was not measured: it shrinks by itself."""
        return 1.0 if kind in (NEW, ELSEWHERE, TRANSFERRED) else 0.0


@register_component(
    NETWORK,
    description="Graph neural network, trained by minibatches",
    reference="doi:10.1038/s41587-026-03113-4",
)
@dataclass(frozen=True)
class NetworkComponent(Component):
    """The graph neural network.

    ``components="network"`` uses the network alone, with the encoder and decoding that the model
    has; :meth:`txpert.TxPertModel.paper` makes the paper's model.
    """

    trained_by_minibatches: ClassVar[bool] = True
    most_expected: ClassVar[float] = 0.3
    enough: ClassVar[int] = 50
    """Expected weight for unseen perturbations, once so many of them were held out."""

    network: Network
    offsets: Mapping[Context, FloatArray] = field(default_factory=dict)
    """Mean effect of each context less that of all; none if the network sees the cell line."""

    @classmethod
    def fit(cls, training: Training, sources: Sources) -> NetworkComponent:
        """Hand on the network, which minibatches train on all lines together."""
        effects = training.line_effects
        if sources.network.module.reads != "none" or len(effects.of_context) == 1:
            return cls(sources.network)
        pooled = effects.pooled_mean
        return cls(sources.network, {c: effects.mean(c) - pooled for c in effects.of_context})

    @property
    def reads(self) -> tuple[str, ...]:
        """The batch, too, if there is a basal encoder."""
        batch = () if self.network.module.reads == "none" else (BATCH,)
        return *super().reads, *batch

    def in_batches(self, size: int) -> NetworkComponent:
        """Return the component that decodes so many conditions at once."""
        return replace(self, network=replace(self.network, batch_size=size))

    def covers(self, conditions: pd.DataFrame) -> BoolArray:
        """Say of which conditions all targets are nodes."""
        nodes, labels = frozenset(self.network.nodes), conditions[PERTURBATION].astype(str)
        return np.array([nodes.issuperset(parse_targets(label)) for label in labels], dtype=bool)

    def delta(
        self, conditions: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        """Decode the conditions, and add the mean effect of the line relative to that of all."""
        delta = self.network.delta(conditions, profiles, context)
        if self.offsets:
            contexts = contexts_of(conditions)
            order = np.array([len(parse_targets(label)) for label in conditions[PERTURBATION]])
            for where, offset in self.offsets.items():
                rows = np.flatnonzero([context == where for context in contexts])
                delta[rows] += np.outer(order[rows], offset)
        return delta

    def updated(self, training: Training, sources: Sources) -> NetworkComponent:
        """Stay, with the mean effects of contexts that the network was not trained on."""
        old, new = _mean_effects(sources.earlier), training.line_effects
        if old is None or self.network.module.reads != "none":
            return self
        unseen = [context for context in new.of_context if context not in old.of_context]
        added = {context: new.mean(context) - old.pooled_mean for context in unseen}
        return replace(self, offsets={**self.offsets, **added}) if added else self

    def to_dict(self) -> dict[str, Any]:
        """Return the offsets of contexts: the weights are saved with the module."""
        if not self.offsets:
            return {}
        contexts = np.array([*self.offsets], dtype=str)
        return {"contexts": contexts, "offsets": np.stack([*self.offsets.values()])}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], sources: Sources) -> NetworkComponent:
        """Take the model's network."""
        if not state:
            return cls(sources.network)
        contexts = [Context(*pair) for pair in state["contexts"].tolist()]
        return cls(sources.network, dict(zip(contexts, state["offsets"], strict=True)))

    def claim(self, kind: str, n_held_out: int, explained: float) -> float:
        """Claim as much as graphs explain of effects, and as the network could be tested."""
        tested = min(n_held_out / self.enough, 1)
        return self.most_expected * explained * tested if kind == NEW else 0.0
