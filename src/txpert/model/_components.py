"""Components of a prediction: the predictors of Δ that an ensemble is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import pandas as pd

from txpert._constants import BATCH, CELL_LINE, PERTURBATION
from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._controls import ControlProfiles
from txpert.data._tokens import canonical_label
from txpert.effects import Effects
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess

from ._network import Network

MEAN, GAUSSIAN_PROCESS, NETWORK = "mean", "gaussian_process", "network"


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
    def effects(self) -> Effects:
        """Mean effects over cell lines."""
        return Effects.of(self.rows)


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

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return plain arrays, numbers and strings, for saving."""

    @classmethod
    @abstractmethod
    def from_dict(cls, state: Mapping[str, Any], sources: Sources) -> Component:
        """Rebuild what :meth:`to_dict` returned."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns of the conditions that Δ depends on."""
        return (PERTURBATION,)

    @property
    def explained(self) -> float:
        """Fraction of the variance of training effects explained, where this limits the others."""
        return 1.0

    def claim(self, kind: str, n_held_out: int, explained: float) -> float:
        """Return the expected weight, as a fraction of what later components leave.

        Parameters
        ----------
        kind
            "measured", "composed" or "new", see :class:`Ensemble`.
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
    given = (names,) if isinstance(names, str) else tuple(names)
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


def by_label(conditions: pd.DataFrame, predict: Callable[[list[str]], FloatArray]) -> FloatArray:
    """Predict each distinct perturbation once."""
    code, labels = pd.factorize(conditions[PERTURBATION].to_numpy(dtype=object))
    return predict(labels.tolist())[code]


@register_component(
    MEAN, description="A perturbation's own mean effect, else the sum of its parts, else the mean"
)
@dataclass(frozen=True)
class MeanComponent(Component):
    """Own effect, else the sum of the targets' effects, of which unseen ones have the mean."""

    effects: Effects

    @classmethod
    def fit(cls, training: Training, sources: Sources) -> MeanComponent:
        """Average the effects of each perturbation."""
        return cls(training.effects)

    def delta(
        self, conditions: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        """Predict Δ by what was measured."""
        return by_label(
            conditions,
            lambda labels: self.effects.general([canonical_label(label) for label in labels]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the effects."""
        labels = self.effects.labels.to_numpy(dtype=str)
        return {"labels": labels, "delta": self.effects.delta, "n_cells": self.effects.n_cells}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], sources: Sources) -> MeanComponent:
        """Rebuild from the effects."""
        labels = pd.Index(state["labels"].astype(object))
        return cls(Effects(labels, state["delta"], state["n_cells"]))


@register_component(
    GAUSSIAN_PROCESS,
    description="Gaussian process over genes with kernels of the graphs, in closed form",
)
@dataclass(frozen=True)
class GaussianProcessComponent(Component):
    """A Gaussian process over genes: similar genes have similar effects."""

    process: GeneGaussianProcess
    kernels: GeneKernels

    @classmethod
    def fit(cls, training: Training, sources: Sources) -> GaussianProcessComponent:
        """Estimate variances by restricted maximum likelihood, and the posterior mean."""
        return cls(GeneGaussianProcess.fit(training.effects, sources.kernels), sources.kernels)

    @property
    def explained(self) -> float:
        """Fraction of the variance of training effects that the kernels explain."""
        return self.process.explained

    def delta(
        self, conditions: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        """Predict Δ by the posterior mean."""
        return by_label(conditions, lambda labels: self.process.delta(labels, self.kernels))

    def to_dict(self) -> dict[str, Any]:
        """Return variances and weights of the training targets."""
        return self.process.to_dict()

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], sources: Sources) -> GaussianProcessComponent:
        """Rebuild with the model's kernels."""
        return cls(GeneGaussianProcess.from_dict(state), sources.kernels)

    def claim(self, kind: str, n_held_out: int, explained: float) -> float:
        """Claim all that the network leaves of unseen perturbations: it shrinks by itself."""
        return 1.0 if kind == "new" else 0.0


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

    @classmethod
    def fit(cls, training: Training, sources: Sources) -> NetworkComponent:
        """Hand on the network, which minibatches train."""
        return cls(sources.network)

    @property
    def reads(self) -> tuple[str, ...]:
        """Only the perturbation, if there is no basal encoder."""
        own = (PERTURBATION,)
        return own if self.network.module.reads == "none" else (*own, CELL_LINE, BATCH)

    def delta(
        self, conditions: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        """Decode the conditions."""
        return self.network.delta(conditions, profiles, context)

    def to_dict(self) -> dict[str, Any]:
        """Return nothing: the weights are saved with the module."""
        return {}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], sources: Sources) -> NetworkComponent:
        """Take the model's network."""
        return cls(sources.network)

    def claim(self, kind: str, n_held_out: int, explained: float) -> float:
        """Claim as much as graphs explain of effects, and as the network could be tested."""
        tested = min(n_held_out / self.enough, 1)
        return self.most_expected * explained * tested if kind == "new" else 0.0
