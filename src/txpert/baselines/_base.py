"""What the baselines share: options, fitting to training perturbations, sums over targets."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, Self

import pandas as pd
from anndata import AnnData

from txpert._constants import BENCHMARK_KEY, PERTURBATION, TEST_PERTURBATIONS
from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable, Predictor
from txpert.data._conditions import pairs
from txpert.data._controls import ControlProfiles
from txpert.data._tokens import canonical_label, parse_targets
from txpert.effects._effects import Effects


class Baseline(Predictor):
    """Predicts matched control + Δ, where Δ follows from training perturbations in closed form.

    A subclass takes its options in ``__init__``, keeps each under the name of the argument and
    leaves the data to :meth:`fit`.

    Parameters
    ----------
    data
        What to fit to at once, as by :meth:`fit`; ``None`` leaves that for later.

    Examples
    --------
    >>> import numpy as np
    >>> import txpert as tx
    >>> class ScaledMeanBaseline(tx.baselines.Baseline):
    ...     def __init__(self, data=None, *, factor=0.5):
    ...         self.factor = factor
    ...         super().__init__(data)
    ...
    ...     def _fit(self, table):
    ...         rows = table.training()
    ...         self.effect_ = np.average(rows.delta, axis=0, weights=rows.obs["n_cells"])
    ...
    ...     def _delta(self, obs, profiles, context):
    ...         return np.tile(self.factor * self.effect_, (len(obs), 1))
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> baseline = ScaledMeanBaseline(adata, factor=0.8)
    >>> prediction = baseline.predict(["GENE3", "control"])
    >>> bool(np.allclose(prediction.layers["delta"][0], 0.8 * baseline.effect_))
    True
    >>> baseline.unfitted()
    ScaledMeanBaseline(factor=0.8), not fitted
    >>> tx.testing.check_predictor(baseline)
    """

    _learns = True

    def __init__(self, data: AnnData | ConditionTable | None = None) -> None:
        if data is not None:
            self.fit(data)

    def fit(self, data: AnnData | ConditionTable) -> Self:
        """Fit to the training perturbations.

        Parameters
        ----------
        data
            What :func:`txpert.pp.pseudobulk` returned, or cells, log-normalized, with the usual
            obs columns. With a split, only ``"train"`` and the controls are looked at.

        Returns
        -------
        The baseline itself.

        Raises
        ------
        KeyError
            If obs columns are missing.
        ValueError
            If no perturbation is in training, or the options do not fit the data.

        Examples
        --------
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> tx.pp.split(adata)
        >>> tx.baselines.MeanBaseline().fit(adata).is_fitted
        True
        """
        table = ConditionTable.of(data)
        self._fit(table)
        self.control_profiles = table.controls
        labels = {*table.obs[PERTURBATION].astype(str), *_asked_later(data)}
        targets = {target for label in labels for target in parse_targets(label)}
        further = (gene for gene in self._further_genes() if isinstance(gene, str))
        genes = {*targets, *table.genes, *further}
        self._genes_known = pd.Index(sorted(genes), dtype=object)
        if self._learns:
            seen = pairs(table.training().obs)
            self.trained_on_ = sorted({(canonical_label(label), line) for label, line in seen})
        return self

    @property
    def is_fitted(self) -> bool:
        """Whether it was fitted."""
        return hasattr(self, "control_profiles")

    @property
    def options(self) -> dict[str, Any]:
        """Arguments that it was made with."""
        names = list(inspect.signature(type(self)).parameters)[1:]
        return {name: getattr(self, name) for name in names}

    def unfitted(self) -> Self:
        """Return a baseline with the same options that was never fitted.

        Examples
        --------
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> tx.pp.split(adata)
        >>> tx.baselines.MeanBaseline(adata).unfitted().is_fitted
        False
        """
        return type(self)(**self.options)

    def __repr__(self) -> str:
        given = ", ".join(
            f"{name}={value!r}"
            for name, value in self.options.items()
            if value is not None and not isinstance(value, pd.DataFrame)
        )
        return f"{type(self).__name__}({given})" + ("" if self.is_fitted else ", not fitted")

    def _profiles(self, controls: AnnData | ControlProfiles | None) -> ControlProfiles:
        if not self.is_fitted:
            raise ValueError(
                f"{type(self).__name__} was not fitted yet; run baseline.fit(adata) first."
            )
        return super()._profiles(controls)

    def _known_genes(self) -> pd.Index | None:
        return self._genes_known

    def _further_genes(self) -> Iterable[str]:
        """Return genes that it knows besides those perturbed or measured, such as of graphs."""
        return ()

    @abstractmethod
    def _fit(self, table: ConditionTable) -> None:
        """Learn from the training perturbations of a table; change nothing on failure."""


def _asked_later(data: AnnData | ConditionTable) -> Iterable[str]:
    """Return the perturbations that a benchmark is going to ask for: their names are right."""
    if not isinstance(data, AnnData):
        return ()
    return data.uns.get(BENCHMARK_KEY, {}).get(TEST_PERTURBATIONS, ())


class EffectBaseline(Baseline):
    """Gives a perturbation the same Δ in every context."""

    def _fit(self, table: ConditionTable) -> None:
        self._learn(Effects.of(table.training()), table)

    def _learn(self, effects: Effects, table: ConditionTable) -> None:
        """Keep the mean effects of the training perturbations."""
        self._effects = effects

    def _delta(
        self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        code, labels = pd.factorize(obs[PERTURBATION].map(canonical_label))
        return self._predicted(list(labels))[code]

    @abstractmethod
    def _predicted(self, labels: list[str]) -> FloatArray:
        """Return Δ of perturbations in canonical spelling, shape ``(n_labels, n_genes)``."""


class SumOfPartsBaseline(EffectBaseline):
    """Gives what was trained on its own Δ, and combinations else the sum of their parts."""

    def _predicted(self, labels: list[str]) -> FloatArray:
        return self._effects.general(labels, self._unseen)

    @abstractmethod
    def _unseen(self, targets: list[str]) -> FloatArray:
        """Return Δ of targets that were not trained on alone, shape ``(n_targets, n_genes)``."""
