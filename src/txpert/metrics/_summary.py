"""From scores per perturbation to one number for a model, with its uncertainty."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import bootstrap

from txpert._options import check_number, check_seed, check_whole
from txpert._types import FloatArray

from ._arrays import one_dimensional, row_index
from ._labeled import aligned_series

_AT_ONCE = 2**22
"""Numbers drawn at once."""


class Interval(NamedTuple):
    """A mean over perturbations with its confidence interval."""

    mean: float
    low: float
    high: float
    n: int
    """Number of scores averaged."""
    n_undefined: int
    """Number of scores left out because they are NaN."""


def bootstrap_interval(
    values: npt.ArrayLike, *, level: float = 0.95, n_resamples: int = 9_999, seed: int = 0
) -> Interval:
    """Mean over perturbations with a bootstrap confidence interval.

    Perturbations are resampled; the interval is bias-corrected and accelerated (BCa). It says how
    far the mean depends on which perturbations were tested, not on training, and is too narrow
    for fewer than some 20 of them.

    Parameters
    ----------
    values
        One score per perturbation, shape ``(n,)``. NaN are left out and counted.
    level
        Confidence level, between 0 and 1.
    n_resamples
        Number of bootstrap samples.
    seed
        Seeds the resampling.

    Returns
    -------
    Mean, lower and upper bound, and the numbers of scores averaged and left out. The bounds are
    NaN for fewer than two scores (the mean too for none), or where all means of so few samples
    lie on one side of the mean.

    Raises
    ------
    ValueError
        If ``values`` is not one-dimensional or has infinite ones, ``level`` is not between 0 and
        1, or ``n_resamples`` below 1.

    References
    ----------
    Efron, Better bootstrap confidence intervals, JASA 1987, doi:10.2307/2289144.

    Examples
    --------
    >>> import txpert as tx
    >>> scores = [0.4, 0.6, 0.5, 0.7, float("nan"), 0.3]
    >>> interval = tx.metrics.bootstrap_interval(scores)
    >>> round(interval.mean, 2), interval.n, interval.n_undefined
    (0.5, 5, 1)
    >>> interval.low < interval.mean < interval.high
    True
    """
    scores = one_dimensional(values)
    check_number("level", level, above=0, most=1)
    if level == 1:
        raise ValueError("level must be below 1: no interval is certain.")
    check_whole("n_resamples", n_resamples, least=1)
    check_seed(seed)
    if np.isinf(scores).any():
        raise ValueError("A score is infinite, so the mean over perturbations is undefined.")
    known = scores[~np.isnan(scores)]
    n_undefined = len(scores) - len(known)
    mean = float(known.mean()) if len(known) else np.nan
    bounds = (np.nan, np.nan)
    if len(known) > 1:
        bounds = _bca_bounds(known, level, n_resamples, seed)
    return Interval(mean, *bounds, len(known), n_undefined)


def mean_by_group(
    values: npt.ArrayLike, index: npt.ArrayLike, n_groups: int | None = None
) -> FloatArray:
    """Average scores of single cells by condition.

    Parameters
    ----------
    values
        One score per cell, as metrics with ``index=`` give, shape ``(n_cells,)``. NaN are left
        out.
    index
        The condition of each cell, counted from 0, shape ``(n_cells,)``.
    n_groups
        Number of conditions; by default the largest in ``index`` plus one.

    Returns
    -------
    Means, shape ``(n_groups,)``; NaN where no cell has a score.

    Raises
    ------
    ValueError
        If ``index`` does not fit.

    Examples
    --------
    >>> import txpert as tx
    >>> pred, index = [[1.0, 0.0], [0.0, 2.0]], [0, 1, 1]
    >>> cells = [[1.0, 2.0], [0.0, 2.0], [0.0, 0.0]]
    >>> error = tx.metrics.mse(pred, cells, index=index)
    >>> error.tolist(), mean_by_group(error, index).tolist()
    ([2.0, 0.0, 2.0], [2.0, 1.0])
    """
    values, index = aligned_series(values, index)
    scores = one_dimensional(values)
    if n_groups is None:
        n_groups = int(np.max(index, initial=-1)) + 1
    position = row_index(index, len(scores), n_groups)
    known = ~np.isnan(scores)
    total = np.bincount(position[known], scores[known], minlength=n_groups)
    with np.errstate(invalid="ignore"):
        return total / np.bincount(position[known], minlength=n_groups)


def _bca_bounds(
    values: FloatArray, level: float, n_resamples: int, seed: int
) -> tuple[float, float]:
    if values.min() == values.max():
        return float(values[0]), float(values[0])
    with warnings.catch_warnings():  # NaN says it
        warnings.simplefilter("ignore")
        found = bootstrap(
            (values,),
            np.mean,
            confidence_level=level,
            n_resamples=n_resamples,
            batch=max(1, _AT_ONCE // len(values)),
            method="BCa",
            rng=np.random.default_rng(seed),
        )
    low, high = found.confidence_interval
    return float(low), float(high)
