"""What a component of a prediction is, and which there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np
import pandas as pd

from txpert._constants import CELL_LINE, MODALITY, N_CELLS, PERTURBATION
from txpert._options import check_names
from txpert._registry import add_entry, table
from txpert._types import BoolArray, FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._controls import ControlProfiles
from txpert.data._tokens import parse_targets
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._line_effects import LineEffects, contexts_of
from txpert.effects._measured_effects import MeasuredEffects

from ._network import Network
from ._stacking import CALIBRATION, SCALE

MEAN, GAUSSIAN_PROCESS, NETWORK = "mean", "gaussian_process", "network"
MEASURED, ELSEWHERE, TRANSFERRED, COMPOSED, NEW = KINDS = (
    "measured",
    "measured elsewhere",
    "of an unseen line",
    "composed",
    "new",
)
"""What training knows of a condition, see ``Ensemble``."""
_RESERVED = {
    SCALE: "the scale of an ensemble",
    CALIBRATION: "the calibration of an ensemble",
    "target": "the effect on the targets",
}
"""Names that stand for something else where those of components do, and for what."""


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
    earlier
        Components fitted to other conditions, for a fit to begin from, or all components before
        an update.
    """

    kernels: GeneKernels
    network: Network
    earlier: Mapping[str, Component] = field(default_factory=dict)


class Component(ABC):
    """A predictor of Δ.

    Attributes
    ----------
    trained_by_minibatches
        Whether :meth:`fit` only hands on what :meth:`txpert.TxPertModel.train` trains.

    Examples
    --------
    A component that knows only what was measured, and claims half of its prediction:

    >>> import numpy as np
    >>> import txpert as tx
    >>> class Shrunken(tx.model.Component):
    ...     def __init__(self, effects):
    ...         self.effects = effects
    ...
    ...     @classmethod
    ...     def fit(cls, training, sources):
    ...         rows = training.measured
    ...         factor = rows.n_cells / (rows.n_cells + 50)
    ...         shrunken = zip(rows.targets, factor[:, None] * rows.delta, strict=True)
    ...         return cls({"+".join(targets): delta for targets, delta in shrunken})
    ...
    ...     def covers(self, conditions):
    ...         return conditions["perturbation"].isin(list(self.effects)).to_numpy()
    ...
    ...     def delta(self, conditions, profiles, context):
    ...         return np.stack([self.effects[label] for label in conditions["perturbation"]])
    ...
    ...     def claim(self, kind, n_held_out, explained):
    ...         return 0.5 if kind == "measured" else 0.0
    ...
    ...     def updated(self, training, sources):
    ...         return Shrunken(self.effects | self.fit(training, sources).effects)
    ...
    ...     def to_dict(self):
    ...         return self.effects
    ...
    ...     @classmethod
    ...     def from_dict(cls, state, sources):
    ...         return cls(dict(state))
    >>> register = tx.model.register_component("shrunken", description="Shrunken effects")
    >>> shrunken = register(Shrunken)
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=["mean", "shrunken"])
    >>> model.train(enable_progress_bar=False)
    >>> (model.predict(["GENE1", "GENE60"]).obs["fraction_shrunken"] > 0).to_list()
    [True, False]
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

    def updated(self, training: Training, sources: Sources) -> Component | None:
        """Learn further effects, see :meth:`txpert.TxPertModel.update`.

        By default nothing is learned: the component stays as it is, and a warning says so.

        Parameters
        ----------
        training
            The conditions that were added.
        sources
            As of :meth:`fit`, with kernels among earlier and new targets; ``earlier`` holds all
            components before the update.

        Returns
        -------
        The component with earlier and new effects, itself if it has nothing to learn, ``None`` if
        it cannot learn.
        """
        return None

    def on_graphs(self, sources: Sources) -> Component:
        """Return the component on other graphs, see :meth:`txpert.TxPertModel.with_graphs`.

        By default itself, as is right without kernels. ``sources`` are those of the other graphs.
        """
        return self

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

    Raises
    ------
    ValueError
        If another component has that name, or it stands for something else in predictions.

    Examples
    --------
    >>> import numpy as np
    >>> import txpert as tx
    >>> @tx.model.register_component("median", description="Median effect of all perturbations")
    ... class MedianEffect(tx.model.Component):
    ...     def __init__(self, effect):
    ...         self.effect = effect
    ...
    ...     @classmethod
    ...     def fit(cls, training, sources):
    ...         return cls(np.nanmedian(training.measured.delta, axis=0))
    ...
    ...     def delta(self, conditions, profiles, context):
    ...         return np.tile(self.effect, (len(conditions), 1))
    ...
    ...     def to_dict(self):
    ...         return {"effect": self.effect}
    ...
    ...     @classmethod
    ...     def from_dict(cls, state, sources):
    ...         return cls(state["effect"])
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=["mean", "median"])
    >>> model.train(enable_progress_bar=False)
    >>> model.predict("GENE60").obs.filter(like="fraction").columns.to_list()
    ['fraction_mean', 'fraction_median', 'fraction_target']
    """

    def register(component: ComponentClass) -> ComponentClass:
        if name in _RESERVED:
            raise ValueError(
                f"A component cannot be named {name!r}, which stands for {_RESERVED[name]}; take "
                "another name."
            )
        add_entry(COMPONENTS, name, Entry(component, description, reference), kind="component")
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


def not_fitted(components: Iterable[str]) -> ValueError:
    """Return the error of what needs components that were never fitted."""
    return ValueError(
        f"The components {', '.join(components)} are not fitted yet: run model.train() first."
    )


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

    def columns(name: str, entry: Entry) -> dict[str, str]:
        return {
            "class": entry.cls.__name__,
            "reference": entry.reference,
            "description": entry.description,
        }

    return table(COMPONENTS, columns)
