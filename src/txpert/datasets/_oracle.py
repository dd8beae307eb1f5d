from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import BATCH, CELL_LINE, CONTROL, DELTA, PERTURBATION
from txpert._types import FloatArray
from txpert.data import ConditionTable, ControlProfiles, canonical_label
from txpert.pp import pseudobulk

from ._truth import truth


class Oracle(ABC):
    """A predictor that knows something about how a simulated screen was made."""

    control_profiles: ControlProfiles

    def predict(
        self,
        perturbations: str | Sequence[str] | pd.DataFrame,
        *,
        cell_line: str | Sequence[str] | None = None,
        batch: str | Sequence[str] | None = None,
        controls: AnnData | ControlProfiles | None = None,
    ) -> AnnData:
        """Predict as :meth:`txpert.TxPertModel.predict` does.

        Raises
        ------
        KeyError
            If the screen did not have the perturbation or the cell line.
        """
        keys = {name: name for name in (CONTROL, CELL_LINE, BATCH)}
        profiles = self.control_profiles.given(controls, keys, layer=None)
        obs, context = profiles.conditions(perturbations, cell_line=cell_line, batch=batch)
        asked = obs[[PERTURBATION, CELL_LINE]].copy()
        asked[PERTURBATION] = asked[PERTURBATION].map(canonical_label)
        group = asked.groupby([CELL_LINE, PERTURBATION], sort=False).ngroup().to_numpy()
        effects = self._effects(asked.drop_duplicates(), profiles)[group]
        return profiles.prediction_from_delta(obs, context, effects)

    @abstractmethod
    def _effects(self, conditions: pd.DataFrame, controls: ControlProfiles) -> FloatArray:
        """Return Δ of each perturbation and cell line, shape ``(n_conditions, n_genes)``."""


class TruthOracle(Oracle):
    """Predicts the noise-free Δ of a simulated screen: what is left is the noise of the data.

    Parameters
    ----------
    adata
        A screen by :func:`simulate`, log-normalised.

    Raises
    ------
    KeyError
        If the data hold no truth.
    ValueError
        If the data are raw counts.

    Examples
    --------
    >>> import txpert as tx
    >>> oracle = tx.datasets.TruthOracle(tx.datasets.toy())
    >>> oracle.predict("GENE11", batch="batch_1").shape
    (1, 60)
    """

    def __init__(self, adata: AnnData) -> None:
        self._truth = truth(adata)
        self.control_profiles = ConditionTable.from_anndata(
            pseudobulk(adata[adata.obs[CONTROL].to_numpy()], split_key=None)
        ).controls

    def _effects(self, conditions: pd.DataFrame, controls: ControlProfiles) -> FloatArray:
        column = self._truth.var_names.get_indexer(controls.genes)
        if (column == -1).any():
            raise KeyError(f"The gene {controls.genes[column == -1][0]!r} was not simulated.")
        known = pd.MultiIndex.from_frame(self._truth.obs[[PERTURBATION, CELL_LINE]].astype(str))
        row = known.get_indexer(pd.MultiIndex.from_frame(conditions.astype(str)))
        control = (conditions[PERTURBATION] == CONTROL).to_numpy()
        if (row[~control] == -1).any():
            label, line = conditions.to_numpy()[(row == -1) & ~control][0]
            raise KeyError(f"The perturbation {label!r} in {line!r} was not simulated.")
        delta = np.asarray(self._truth.layers[DELTA])[np.ix_(row, column)]
        return np.where(control[:, None], np.float32(0), delta)
