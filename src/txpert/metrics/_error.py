"""How far a predicted Δ is from the observed one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from txpert._types import BoolArray, FloatArray

from ._arrays import score_rows


def mse(
    pred_delta: npt.ArrayLike,
    true_delta: npt.ArrayLike,
    *,
    genes: npt.ArrayLike | None = None,
    index: npt.ArrayLike | None = None,
) -> FloatArray:
    """Mean over genes of the squared error of Δ.

    Where controls are the same for both, this is the error of expression too. For single cells
    (``index``), the mean over the cells of a condition exceeds the error of their average by
    their variance.

    Parameters
    ----------
    pred_delta, true_delta, genes, index
        As in :func:`~txpert.metrics.pearson_delta`.

    Returns
    -------
    One value per row of ``true_delta``; NaN where no gene counts, or one that does is NaN.

    Raises
    ------
    ValueError
        If the shapes do not fit, or ``index`` points at no prediction.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.metrics.mse([[1.0, 0.0], [0.0, 0.0]], [[1.0, 2.0], [0.0, 1.0]]).tolist()
    [2.0, 0.5]
    """
    return score_rows(_mse, pred_delta, true_delta, genes, index)


def rmse(
    pred_delta: npt.ArrayLike,
    true_delta: npt.ArrayLike,
    *,
    genes: npt.ArrayLike | None = None,
    index: npt.ArrayLike | None = None,
) -> FloatArray:
    """Square root of :func:`mse`, in units of expression. Takes and raises what that does.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.metrics.rmse([[3.0, 0.0]], [[0.0, 3.0]]).tolist()
    [3.0]
    """
    return np.sqrt(mse(pred_delta, true_delta, genes=genes, index=index))


def mae(
    pred_delta: npt.ArrayLike,
    true_delta: npt.ArrayLike,
    *,
    genes: npt.ArrayLike | None = None,
    index: npt.ArrayLike | None = None,
) -> FloatArray:
    """Mean over genes of the absolute error of Δ. Takes and raises what :func:`mse` does.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.metrics.mae([[1.0, 2.0]], [[0.0, 4.0]]).tolist()
    [1.5]
    """
    return score_rows(_mae, pred_delta, true_delta, genes, index)


def _mse(pred: FloatArray, true: FloatArray, mask: BoolArray) -> FloatArray:
    return _mean((pred - true) ** 2, mask)


def _mae(pred: FloatArray, true: FloatArray, mask: BoolArray) -> FloatArray:
    return _mean(np.abs(pred - true), mask)


def _mean(error: FloatArray, mask: BoolArray) -> FloatArray:
    return np.where(mask, error, 0).sum(axis=1) / mask.sum(axis=1)
