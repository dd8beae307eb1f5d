"""A cell line's mean effect plus what is particular to a perturbation in other lines."""

from __future__ import annotations

import numpy as np
import pandas as pd

from txpert._types import FloatArray
from txpert.data import ConditionTable
from txpert.data._controls import ControlProfiles
from txpert.effects._effects import Effects

from ._lines import LineBaseline
from ._registry import register_baseline


@register_baseline("additive")
class AdditiveBaseline(LineBaseline):
    r"""Mean effect of the cell line plus the perturbation's deviation shared by the other lines.

    .. math:: \hat\Delta_{P,\ell} = m_\ell + \frac{1}{|L_P|} \sum_{k \in L_P}
              \big(\Delta_{P,k} - m_k\big),

    where :math:`m_\ell` is the mean effect of single genes in line :math:`\ell` (over all lines,
    for a line without training perturbations) and :math:`L_P` are the training lines that have P.
    What was trained on in the line itself keeps its own Δ, a combination that no line has is the
    sum of its parts, and a gene that no line has deviates by nothing.

    Parameters
    ----------
    data
        What to fit to at once, as by :meth:`fit`.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> adata.obs["cell_line"] = adata.obs["batch"].map({"batch_1": "K562", "batch_2": "RPE1"})
    >>> tx.baselines.AdditiveBaseline().fit(adata).predict("GENE3", cell_line="K562").shape
    (1, 60)
    """

    def _fit(self, table: ConditionTable) -> None:
        super()._fit(table)
        total: dict[str, list[FloatArray]] = {}
        for effects in self._lines.values():
            for label, delta in zip(effects.labels, effects.delta, strict=True):
                total.setdefault(label, []).append(delta - effects.mean_single)
        self._deviation = {label: np.mean(parts, axis=0) for label, parts in total.items()}

    def _in_line(self, labels: list[str], line: str, profiles: ControlProfiles) -> FloatArray:
        mean, own = self._over_lines(line), self._lines.get(line)
        effects = {label: mean + deviation for label, deviation in self._deviation.items()}
        if own is not None:
            effects |= dict(zip(own.labels, own.delta, strict=True))
        known = Effects(
            pd.Index(effects, dtype=object),
            np.stack([*effects.values()]),
            np.ones(len(effects), np.int64),
        )
        return known.general(labels, mean)
