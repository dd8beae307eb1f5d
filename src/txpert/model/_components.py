"""Components of a prediction: the predictors of Δ that an ensemble is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np
import pandas as pd

from txpert._constants import BATCH, CELL_LINE, MODALITY, N_CELLS, PERTURBATION
from txpert._options import check_names
from txpert._types import BoolArray, FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._controls import ControlProfiles
from txpert.data._tokens import canonical_label, parse_targets, without_node
from txpert.effects._contexts import Context
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._line_effects import LineEffects, contexts_of
from txpert.effects._measured_effects import MeasuredEffects
from txpert.effects._posterior import Posterior

from ._network import Network

MEAN, GAUSSIAN_PROCESS, NETWORK = "mean", "gaussian_process", "network"
MEASURED, ELSEWHERE, TRANSFERRED, COMPOSED, NEW = KINDS = (
    "measured",
    "measured elsewhere",
    "of an unseen line",
    "composed",
    "new",
)
"""What training knows of a condition, see ``Ensemble``."""


@dataclass(frozen=True)
class Training:
    """What components are fitted on.

    Attributes
    ----------
    rows
        Perturbed conditions in training, one per cell line × perturbation, without the effect on
        the targets' own expression.
    """

    rows: ConditionTable

    @cached_property
    def line_effects(self) -> LineEffects:
        """Mean effects by cell line."""
        return LineEffects.of(self.rows)

    @cached_property
    def measured(self) -> MeasuredEffects:
        """One row per perturbation, cell line and modality."""
        obs = self.rows.obs
        contexts = contexts_of(obs)
        return MeasuredEffects.of(
            [parse_targets(label) for label in obs[PERTURBATION].astype(str)],
            self.rows.delta,
            cell_line=[context.cell_line for context in contexts],
            modality=[context.modality for context in contexts],
            n_cells=obs[N_CELLS].tolist(),
        )


@dataclass(frozen=True)
class Sources:
    """What a model has for its components besides measured effects.

    Attributes
    ----------
    kernels
        Kernels between genes.
    network
        The network, trained by minibatches and not by :meth:`Component.fit`.
    """

    kernels: GeneKernels
    network: Network


class Component(ABC):
    """A predictor of Δ.

    Attributes
    ----------
    trained_by_minibatches
        Whether :meth:`fit` only hands on what :meth:`txpert.TxPertModel.train` trains.
    """

    trained_by_minibatches: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def fit(cls, training: Training, sources: Sources) -> Component:
        """Fit to the training conditions."""

    @abstractmethod
    def delta(
        self, conditions: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        """Predict Δ of conditions, ``(n_conditions, n_genes)``.

        Parameters
        ----------
        conditions
            perturbation, cell_line and batch of each.
        profiles
            Control profiles.
        context
            Position of each condition's controls among them.
        """

    def covers(self, conditions: pd.DataFrame) -> BoolArray:
        """Say which conditions the component can predict, ``(n_conditions,)``."""
        return np.ones(len(conditions), dtype=bool)

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return plain arrays, numbers and strings, for saving."""

    @classmethod
    @abstractmethod
    def from_dict(cls, state: Mapping[str, Any], sources: Sources) -> Component:
        """Rebuild what :meth:`to_dict` returned."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns of the conditions that Δ depends on.

        The cell line is one of them even if training has but one: of others less is known.
        """
        return PERTURBATION, CELL_LINE, MODALITY

    def in_batches(self, size: int) -> Component:
        """Return the component that predicts so many conditions at once, if it does so at all."""
        return self

    @property
    def explained(self) -> float:
        """Fraction of the variance of training effects explained, where this limits the others."""
        return 1.0

    def claim(self, kind: str, n_held_out: int, explained: float) -> float:
        """Return the expected weight, as a fraction of what later components leave.

        Parameters
        ----------
        kind
            One of :data:`KINDS`.
        n_held_out
            Number of held-out perturbations of that kind.
        explained
            Least :attr:`explained` of all components.
        """
        return 0.0


@dataclass(frozen=True)
class Entry:
    """A component in :data:`COMPONENTS`."""

    cls: type[Component]
    description: str
    reference: str


COMPONENTS: dict[str, Entry] = {}
"""Components by name; an ensemble has them in this order and starts from the first it has."""

ComponentClass = TypeVar("ComponentClass", bound=type[Component])


def register_component(
    name: str, *, description: str, reference: str = ""
) -> Callable[[ComponentClass], ComponentClass]:
    """Make a class available as a name in ``TxPertModel(components=...)``.

    Parameters
    ----------
    name
        Name of the component.
    description
        What it is, in one line.
    reference
        Publication, as a DOI or an arXiv number.
    """

    def register(component: ComponentClass) -> ComponentClass:
        COMPONENTS[name] = Entry(component, description, reference)
        return component

    return register


def check_components(names: str | Iterable[str]) -> tuple[str, ...]:
    """Return the components asked for, in the order of the registry.

    Raises
    ------
    ValueError
        If there are none, one is unknown or named twice.
    """
    given = (names,) if isinstance(names, str) else tuple(check_names("components", names))
    unknown = [name for name in given if name not in COMPONENTS]
    if unknown or not given or len(set(given)) < len(given):
        problem = f"not {unknown[0]!r}" if unknown else f"each once, not {given!r}"
        raise ValueError(f"components takes {', '.join(map(repr, COMPONENTS))}, {problem}.")
    return tuple(name for name in COMPONENTS if name in given)


def show() -> pd.DataFrame:
    """List the components that a prediction can be made of.

    Returns
    -------
    One row per name: ``class``, ``reference`` and ``description``.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.model.show().index.to_list()
    ['mean', 'gaussian_process', 'network']
    """
    rows = [(e.cls.__name__, e.reference, e.description) for e in COMPONENTS.values()]
    index = pd.Index(COMPONENTS, name="name")
    return pd.DataFrame(rows, columns=["class", "reference", "description"], index=index)


def by_context(
    conditions: pd.DataFrame, predict: Callable[[list[str], Context], FloatArray]
) -> FloatArray:
    """Predict each distinct perturbation of a context once, context by context."""
    labels = conditions[PERTURBATION].to_numpy(dtype=object)
    contexts = contexts_of(conditions)
    parts, order = [], []
    for where in sorted(set(contexts)):
        rows = np.flatnonzero([context == where for context in contexts])
        code, names = pd.factorize(labels[rows])
        parts.append(predict(names.tolist(), where)[code])
        order.append(rows)
    return np.concatenate(parts)[np.argsort(np.concatenate(order))]


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

    def to_dict(self) -> dict[str, Any]:
        """Return the effects."""
        return self.effects.to_dict()

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], sources: Sources) -> MeanComponent:
        """Rebuild from the effects."""
        return cls(LineEffects.from_dict(state))


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
        return cls(GeneGaussianProcess.fit(training.measured, kernels), kernels)

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
        return 1.0 if kind in (NEW, ELSEWHERE) else 0.0


@register_component(
    NETWORK,
    description="Graph neural network, trained by minibatches",
    reference="doi:10.1038/s41587-026-03113-4",
)
@dataclass(frozen=True)
class NetworkComponent(Component):
    """The graph neural network; alone it is the paper's way."""

    trained_by_minibatches: ClassVar[bool] = True
    most_expected: ClassVar[float] = 0.3
    enough: ClassVar[int] = 20
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
        """Return the component that decodes so many conditions at once, as the module is now."""
        return replace(self, network=replace(self.network, batch_size=size, fixed=True))

    def covers(self, conditions: pd.DataFrame) -> BoolArray:
        """Say of which conditions all targets are nodes."""
        unknown = without_node(conditions[PERTURBATION].astype(str), self.network.nodes)
        return np.array([not targets for targets in unknown], dtype=bool)

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
