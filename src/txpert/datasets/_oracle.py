"""Oracles: predictors that know how a simulated screen was made."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import CELL_LINE, CONTROL, DELTA, PERTURBATION
from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable, Predictor
from txpert.data._controls import ControlProfiles
from txpert.data._tokens import canonical_label
from txpert.pp import pseudobulk

from ._truth import truth


class Oracle(Predictor):
    """A predictor that knows something about how a simulated screen was made."""

    def _delta(
        self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        asked = obs[[PERTURBATION, CELL_LINE]].copy()
        asked[PERTURBATION] = asked[PERTURBATION].map(canonical_label)
        group = asked.groupby([CELL_LINE, PERTURBATION], sort=False).ngroup().to_numpy()
        return self._effects(asked.drop_duplicates(), profiles)[group]

    @abstractmethod
    def _effects(self, conditions: pd.DataFrame, controls: ControlProfiles) -> FloatArray:
        """Return Δ of each perturbation and cell line, shape ``(n_conditions, n_genes)``."""


class TruthOracle(Oracle):
    """Predicts the noise-free Δ of a simulated screen: what is left is the noise of the data.

    Parameters
    ----------
    adata
        A screen by :func:`simulate`, log-normalized.

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
        if (row == -1).any():
            label, line = conditions.to_numpy()[row == -1][0]
            raise KeyError(f"The perturbation {label!r} in {line!r} was not simulated.")
        return np.asarray(self._truth.layers[DELTA])[np.ix_(row, column)]
