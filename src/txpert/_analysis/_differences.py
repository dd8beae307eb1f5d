"""Paired differences between one model and the others of a benchmark."""

from __future__ import annotations

import numpy as np
import pandas as pd

from txpert._constants import CELL_LINE, PERTURBATION
from txpert.metrics import holm, paired_test

_RESAMPLES = 1_999


def paired_differences(scores: pd.DataFrame, metric: str, model: str) -> pd.DataFrame:
    """Compare a model with each of the others on the same perturbations.

    Parameters
    ----------
    scores
        model, seed, fold, perturbation, cell_line and the metric.
    metric, model
        Names of the metric and the model.

    Returns
    -------
    One row per other model: ``difference`` (mean of model minus other, seeds averaged first),
    ``low`` and ``high`` (95% bootstrap interval over perturbations), ``p_value`` (Wilcoxon
    signed-rank test), ``p_adjusted`` (Holm) and ``n``, the perturbations that both have a score
    for in the same runs.
    """
    observation = [PERTURBATION, CELL_LINE]
    keys = ["seed", "fold", *observation]
    own = scores.loc[scores["model"] == model, [*keys, metric]]
    rows = []
    for name, part in scores[scores["model"] != model].groupby("model", sort=False):
        both = own.merge(part[[*keys, metric]], on=keys, suffixes=("", "_other")).dropna()
        means = both.groupby(observation)[[metric, f"{metric}_other"]].mean()
        if len(means) == 0:
            rows.append({"model": name, "n": 0})
            continue
        test = paired_test(*means.to_numpy().T, n_resamples=_RESAMPLES)
        row = {"difference": test.difference, "low": test.low, "high": test.high}
        p_value = test.p_value if test.n > 1 else np.nan
        rows.append({"model": name, **row, "p_value": p_value, "n": test.n})
    columns = ["model", "difference", "low", "high", "p_value", "n"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(p_adjusted=holm(table["p_value"].to_numpy(dtype=float)))
