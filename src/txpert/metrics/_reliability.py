"""What repeated measurements of limited size say about larger ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from txpert._types import FloatArray


def spearman_brown(correlation: npt.ArrayLike, factor: float = 2.0) -> FloatArray:
    r"""Predict the correlation of two measurements from that of two smaller ones.

    .. math:: r_k = \frac{k\, r}{1 + (k - 1)\, r}

    for measurements :math:`k` times as large, if signal and noise are independent and the variance
    of the noise falls as one over size. With :math:`k = 2` it leads from split halves to two
    replicates of full size. C. Spearman and W. Brown, both British Journal of Psychology 3 (1910),
    271–295 and 296–322.

    Parameters
    ----------
    correlation
        Correlations :math:`r` of two measurements of the same size.
    factor
        How many times larger the measurements asked about are, :math:`k \ge 1`.

    Returns
    -------
    Correlations of the same shape; NaN where the formula has no value, at
    :math:`r \le -1 / (k - 1)`.

    Raises
    ------
    ValueError
        If ``factor`` is below 1.

    Examples
    --------
    >>> spearman_brown([0.0, 0.5, 1.0]).round(3).tolist()
    [0.0, 0.667, 1.0]
    """
    if factor < 1:
        raise ValueError(f"factor must be at least 1, not {factor:g}.")
    r = np.asarray(correlation, dtype=np.float64)
    denominator = 1 + (factor - 1) * r
    return np.divide(factor * r, denominator, out=np.full_like(r, np.nan), where=denominator > 0)


def correlation_with_truth(correlation: npt.ArrayLike) -> FloatArray:
    r"""Predict the correlation of a measurement with the truth from that of two replicates.

    .. math:: r_\text{truth} = \sqrt{r},

    because replicates with signal :math:`S` and independent noise of variance :math:`N` correlate
    as :math:`S / (S + N)`, and one of them with the signal as :math:`\sqrt{S / (S + N)}`
    (C. Spearman, American Journal of Psychology 15 (1904), 72–101). No prediction, not even the
    truth itself, can be expected to score higher against the measurement.

    Parameters
    ----------
    correlation
        Correlations of two replicates.

    Returns
    -------
    Correlations of the same shape; NaN where that of the replicates is negative.

    Examples
    --------
    >>> correlation_with_truth([0.25, 1.0]).tolist()
    [0.5, 1.0]
    """
    r = np.asarray(correlation, dtype=np.float64)
    return np.sqrt(r, out=np.full_like(r, np.nan), where=r >= 0)
