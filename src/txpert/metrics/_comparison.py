"""Whether one model is better than another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import wilcoxon

from txpert._types import FloatArray

from ._arrays import one_dimensional
from ._labeled import aligned_series
from ._summary import bootstrap_interval


class PairedTest(NamedTuple):
    """A comparison of two models on the same perturbations."""

    difference: float
    """Mean of the first model's score minus the second's."""
    low: float
    high: float
    p_value: float
    n: int
    """Number of perturbations that both models have a score for."""
    n_undefined: int
    """Number of perturbations left out because either score is NaN."""


def paired_test(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    level: float = 0.95,
    n_resamples: int = 9_999,
    seed: int = 0,
) -> PairedTest:
    """Compare the scores of two models on the same perturbations.

    The P value is that of the two-sided Wilcoxon signed-rank test, the interval that of
    :func:`bootstrap_interval` for the mean difference. For several comparisons see
    :func:`holm`.

    Parameters
    ----------
    a, b
        Scores of the two models for the same perturbations in the same order, shape ``(n,)``.
        Perturbations for which either is NaN are left out and counted. Two series are aligned by
        their labels.
    level, n_resamples, seed
        As in :func:`bootstrap_interval`.

    Returns
    -------
    Mean difference ``a`` − ``b``, its bounds, the P value (1 if there is no difference at all,
    NaN if there is no pair), and the numbers of pairs compared and left out.

    Raises
    ------
    ValueError
        If the shapes differ, and as :func:`bootstrap_interval`.

    Examples
    --------
    >>> import txpert as tx
    >>> model = [0.4, 0.6, 0.5, 0.7, 0.3, 0.9]
    >>> baseline = [0.3, 0.4, 0.2, 0.3, 0.25, 0.3]
    >>> test = tx.metrics.paired_test(model, baseline)
    >>> round(test.difference, 3), round(test.p_value, 3)
    (0.275, 0.031)
    """
    a, b = aligned_series(a, b)
    first, second = one_dimensional(a), one_dimensional(b)
    if first.shape != second.shape:
        raise ValueError(
            "Both models need a score for the same perturbations; there are "
            f"{len(first)} and {len(second)} scores."
        )
    difference = first - second
    interval = bootstrap_interval(difference, level=level, n_resamples=n_resamples, seed=seed)
    known = difference[~np.isnan(difference)]
    p_value = np.nan
    if len(known):
        p_value = float(wilcoxon(known).pvalue) if known.any() else 1.0
    return PairedTest(*interval[:3], p_value, interval.n, interval.n_undefined)


def holm(p_values: npt.ArrayLike) -> FloatArray:
    """Correct P values for several comparisons by Holm's step-down method.

    Parameters
    ----------
    p_values
        One per comparison, shape ``(n,)``; NaN stays NaN and does not count.

    Returns
    -------
    Adjusted P values, in the same order.

    Raises
    ------
    ValueError
        If a value lies outside [0, 1].

    References
    ----------
    Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of
    Statistics 1979.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.metrics.holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    values = one_dimensional(p_values)
    known = np.flatnonzero(~np.isnan(values))
    if ((values[known] < 0) | (values[known] > 1)).any():
        raise ValueError("P values must lie between 0 and 1.")
    from statsmodels.stats.multitest import multipletests  # a second to import

    adjusted = np.full(len(values), np.nan)
    if len(known):
        adjusted[known] = multipletests(values[known], method="holm")[1]
    return adjusted
