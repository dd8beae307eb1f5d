from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import BATCH, CELL_LINE, CONTROL, PERTURBATION
from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable, ControlProfiles, canonical_label, parse_targets
from txpert.effects import Effects, condition_table


class Baseline(ABC):
    """Predicts matched control + Δ; a subclass says what Δ is."""

    def __init__(self, controls: ControlProfiles) -> None:
        self.control_profiles = controls

    def predict(
        self,
        perturbations: str | Sequence[str] | pd.DataFrame,
        *,
        cell_line: str | Sequence[str] | None = None,
        batch: str | Sequence[str] | None = None,
        controls: AnnData | ControlProfiles | None = None,
    ) -> AnnData:
        """Predict as :meth:`txpert.TxPertModel.predict` does, for any gene.

        Parameters
        ----------
        perturbations, cell_line, batch, controls
            As there.

        Returns
        -------
        Conditions × genes: predicted expression in ``X``, predicted Δ in ``layers["delta"]``;
        obs has perturbation, cell_line and batch. Controls have Δ = 0.
        """
        keys = {name: name for name in (CONTROL, CELL_LINE, BATCH)}
        profiles = self.control_profiles.given(controls, keys, layer=None)
        obs, context = profiles.conditions(perturbations, cell_line=cell_line, batch=batch)
        perturbed = np.array([bool(parse_targets(label)) for label in obs[PERTURBATION]])
        delta = np.zeros((len(obs), len(profiles.genes)), dtype=np.float32)
        if perturbed.any():
            rows = obs[perturbed].reset_index(drop=True)
            delta[perturbed] = self._delta(rows, profiles, context[perturbed])
        return profiles.prediction_from_delta(obs, context, delta)

    @abstractmethod
    def _delta(
        self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        """Return Δ of perturbed conditions, shape ``(n_conditions, n_genes)``."""


class EffectBaseline(Baseline):
    """Gives a perturbation the same Δ in every context.

    Parameters
    ----------
    pseudobulk
        Table made by :func:`txpert.pp.pseudobulk`. With a split, only ``"train"`` is looked at.
    """

    def __init__(self, pseudobulk: AnnData | ConditionTable) -> None:
        table = condition_table(pseudobulk)
        super().__init__(table.controls)
        self._effects = Effects.of(table.training())

    def _delta(
        self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        code, labels = pd.factorize(obs[PERTURBATION].map(canonical_label))
        return self._predicted(list(labels))[code]

    @abstractmethod
    def _predicted(self, labels: list[str]) -> FloatArray:
        """Return Δ of perturbations in canonical spelling, shape ``(n_labels, n_genes)``."""


class AdditiveBaseline(EffectBaseline):
    """Gives what was trained on its own Δ, and combinations else the sum of their parts."""

    def _predicted(self, labels: list[str]) -> FloatArray:
        known = self._effects.row
        new = {target for p in labels if p not in known for target in parse_targets(p)}
        unseen = sorted(new - set(known))
        effects = dict(zip(unseen, self._unseen(unseen), strict=True)) if unseen else {}
        effects |= {label: self._effects.delta[row] for label, row in known.items()}
        return np.stack(
            [
                effects[p] if p in effects else np.sum([effects[t] for t in parse_targets(p)], 0)
                for p in labels
            ]
        )

    @abstractmethod
    def _unseen(self, targets: list[str]) -> FloatArray:
        """Return Δ of targets that were not trained on alone, shape ``(n_targets, n_genes)``."""
