"""No change at all."""

from __future__ import annotations

import numpy as np
import pandas as pd

from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._controls import ControlProfiles

from ._base import Baseline
from ._registry import register_baseline


@register_baseline("no_change")
class NoChangeBaseline(Baseline):
    """The matched control: Δ = 0.

    Its correlations are undefined; its squared error is what any prediction must undercut.

    Parameters
    ----------
    data
        What to fit to at once, as by :meth:`fit`; only its controls are looked at.

    Examples
    --------
    >>> import txpert as tx
    >>> baseline = NoChangeBaseline().fit(tx.datasets.toy())
    >>> float(abs(baseline.predict("GENE3").layers["delta"]).max())
    0.0
    """

    _learns = False

    def _fit(self, table: ConditionTable) -> None:
        """Learn nothing."""

    def _delta(
        self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        return np.zeros((len(obs), len(profiles.genes)), dtype=np.float32)
