from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable, ControlProfiles
from txpert.effects import condition_table

from ._base import Baseline


class NoChangeBaseline(Baseline):
    """Predicts the matched control: Δ = 0.

    Its correlations are undefined; its squared error is what any prediction must undercut.

    Parameters
    ----------
    pseudobulk
        Table made by :func:`txpert.pp.pseudobulk`; only its controls are looked at.

    Raises
    ------
    KeyError
        If this is no pseudobulk table.

    Examples
    --------
    >>> import txpert as tx
    >>> baseline = NoChangeBaseline(tx.pp.pseudobulk(tx.datasets.toy()))
    >>> float(abs(baseline.predict("GENE3").layers["delta"]).max())
    0.0
    """

    def __init__(self, pseudobulk: AnnData | ConditionTable) -> None:
        super().__init__(condition_table(pseudobulk).controls)

    def _delta(
        self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        return np.zeros((len(obs), len(profiles.genes)), dtype=np.float32)
