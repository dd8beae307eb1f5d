"""What the score of a perturbation depends on, and where predictions are off."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from txpert._types import BoolArray, FloatArray


def levels(values: pd.Series, n_levels: int) -> pd.Series:
    """Divide values into levels of equal numbers, 1 the lowest; equal values share a level.

    NaN stays NaN.
    """
    rank = values.rank(method="average", pct=True)
    return pd.Series(np.ceil(rank * n_levels), index=values.index).clip(1, n_levels)


def spearman_table(score: pd.Series, covariates: pd.DataFrame) -> pd.DataFrame:
    """Correlate a score with what may explain it.

    Parameters
    ----------
    score
        One per perturbation.
    covariates
        A column for each explanation, with the same rows.

    Returns
    -------
    Spearman's ``rho``, ``p_value``, ``fdr`` over the covariates and ``n`` for each covariate that
    varies over at least three perturbations.
    """
    rows = []
    for name in covariates:
        both = pd.concat([score, covariates[name]], axis=1).dropna().to_numpy(dtype=float)
        if len(both) < 3 or (both.std(axis=0) == 0).any():
            continue
        rho, p_value = stats.spearmanr(both[:, 0], both[:, 1])
        rows.append({"covariate": name, "rho": rho, "p_value": p_value, "n": len(both)})
    table = pd.DataFrame(rows, columns=["covariate", "rho", "p_value", "n"])
    rate = stats.false_discovery_control(table["p_value"]) if len(table) else []
    return table.assign(fdr=rate)


def target_errors(
    predicted: FloatArray, observed: FloatArray, is_target: BoolArray
) -> pd.DataFrame:
    """Return the signed error at the targets and over the other genes.

    Parameters
    ----------
    predicted, observed
        Δ, ``(n, n_genes)``.
    is_target
        Which genes are targets of each row, ``(n, n_genes)``.

    Returns
    -------
    ``error_target`` and ``error_others``: mean of predicted minus observed Δ over the targets (NaN
    where none is measured) and over the others; ``rms_others``: root mean square of the latter.
    """
    error = np.asarray(predicted, dtype=float) - observed
    known = np.isfinite(error)
    filled = np.where(known, error, 0)

    def mean(values: FloatArray, where: BoolArray) -> FloatArray:
        n = where.sum(axis=1)
        with np.errstate(invalid="ignore"):
            return np.where(where, values, 0).sum(axis=1) / n

    others = known & ~is_target
    return pd.DataFrame(
        {
            "error_target": mean(filled, known & is_target),
            "error_others": mean(filled, others),
            "rms_others": np.sqrt(mean(filled**2, others)),
        }
    )


def over_targets(
    targets: Sequence[Sequence[str]],
    values: pd.Series,
    combine: Callable[[pd.Series], float] = pd.Series.mean,
) -> FloatArray:
    """Return a value per perturbation: combined over its targets that have one."""
    known = values.dropna()
    found = []
    for genes in targets:
        have = known[known.index.isin(list(genes))]
        found.append(combine(have) if len(have) else np.nan)
    return np.array(found, dtype=float)
