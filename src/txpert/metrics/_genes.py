"""Differentially expressed genes: choosing them, and how well a prediction finds them.

``sklearn.metrics.roc_auc_score`` takes 5.8 times as long (``benchmarks/libraries.py``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from txpert._options import check_whole
from txpert._types import BoolArray, FloatArray

from ._arrays import row_blocks, score_rows, to_float
from ._labeled import as_frame


def top_genes(scores: npt.ArrayLike, k: int) -> BoolArray:
    """Mark the genes that change most in each condition, as ``genes=`` of other metrics.

    Parameters
    ----------
    scores
        The larger in absolute value the stronger, shape ``(n_conditions, n_genes)``: the observed
        Δ, or a test's statistic or −log10 P.
    k
        How many genes of each condition; 20 and 100 are usual. Of genes that score the same, the
        first are taken. A gene whose score is NaN never is.

    Returns
    -------
    Boolean mask of shape ``(n_conditions, n_genes)``.

    Raises
    ------
    ValueError
        If ``scores`` is not two-dimensional, or there are fewer than ``k`` genes.

    Examples
    --------
    >>> import txpert as tx
    >>> truth = [[3.0, -2.0, 0.1], [0.0, 0.3, -4.0]]
    >>> tx.metrics.top_genes(truth, 1).astype(int).tolist()
    [[1, 0, 0], [0, 0, 1]]

    The fraction of the observed top genes that the prediction has among its own:

    >>> pred = [[2.0, 0.0, 1.0], [0.0, 0.3, -4.0]]
    >>> both = tx.metrics.top_genes(pred, 2) & tx.metrics.top_genes(truth, 2)
    >>> (both.sum(axis=1) / 2).tolist()
    [0.5, 1.0]
    """
    values = np.asarray(as_frame(scores))
    if values.ndim != 2:
        raise ValueError(f"scores must be conditions × genes, not of shape {values.shape}.")
    check_whole("k", k, least=1)
    if not 1 <= k <= values.shape[1]:
        raise ValueError(f"k must be from 1 to the {values.shape[1]} genes there are, not {k}.")
    mask = np.empty(values.shape, dtype=bool)
    for rows in row_blocks(*values.shape):
        mask[rows] = _largest(np.abs(to_float(values[rows])), k)
    return mask


def direction_accuracy(
    pred_delta: npt.ArrayLike,
    true_delta: npt.ArrayLike,
    *,
    genes: npt.ArrayLike | None = None,
    index: npt.ArrayLike | None = None,
) -> FloatArray:
    """Fraction of genes that change in the direction that was predicted.

    Parameters
    ----------
    pred_delta, true_delta, genes, index
        As in :func:`~txpert.metrics.pearson_delta`. Genes whose observed Δ is zero have no
        direction and are left out; a predicted zero is wrong.

    Returns
    -------
    Fractions in [0, 1], one per row of ``true_delta``; 0.5 is chance. NaN where no gene counts, or
    one that does is NaN.

    Raises
    ------
    ValueError
        If the shapes do not fit, or ``index`` points at no prediction.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.metrics.direction_accuracy([[1.0, -1.0, 0.0, 5.0]], [[2.0, 1.0, 1.0, 0.0]]).round(2)
    array([0.33])
    """
    return score_rows(_direction, pred_delta, true_delta, genes, index)


def de_auroc(pred_delta: npt.ArrayLike, de_genes: npt.ArrayLike) -> FloatArray:
    """Area under the ROC curve of finding differentially expressed genes by the predicted Δ.

    The probability that a gene that is differentially expressed is predicted to change more than
    one that is not; ties count half.

    Parameters
    ----------
    pred_delta
        Predicted Δ, shape ``(n_conditions, n_genes)``; only its absolute value is used.
    de_genes
        Boolean mask of the genes truly differentially expressed, of the same shape.

    Returns
    -------
    Areas in [0, 1], shape ``(n_conditions,)``; 0.5 is chance. NaN where none or all of the genes
    are differentially expressed, or the prediction has NaN.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> import txpert as tx
    >>> de = [[True, False, False, True]]
    >>> tx.metrics.de_auroc([[-3.0, 1.0, 0.0, 0.5]], de).tolist()
    [0.75]
    >>> tx.metrics.de_auprc([[-3.0, 1.0, 0.0, 0.5]], de).round(2).tolist()
    [0.83]
    """
    return score_rows(_auroc, pred_delta, pred_delta, _de_mask(de_genes), None)


def de_auprc(pred_delta: npt.ArrayLike, de_genes: npt.ArrayLike) -> FloatArray:
    """Average precision of finding differentially expressed genes by the predicted Δ.

    Genes are called in the order of their absolute Δ; the area under the precision–recall curve
    as a step function. Takes and raises what
    :func:`de_auroc` does.

    Returns
    -------
    Averages in (0, 1], shape ``(n_conditions,)``; the fraction of genes that are differentially
    expressed is chance. NaN where :func:`de_auroc` is.

    Examples
    --------
    >>> import txpert as tx
    >>> de = [[True, False, False, True]]
    >>> tx.metrics.de_auprc([[3.0, 0.0, 1.0, -2.0]], de).tolist()
    [1.0]
    """
    return score_rows(_average_precision, pred_delta, pred_delta, _de_mask(de_genes), None)


def _de_mask(de_genes: npt.ArrayLike) -> Any:
    """Return a mask as it is if labeled, else as an array; there is none by default."""
    mask = as_frame(de_genes)
    return mask if isinstance(mask, pd.DataFrame) else np.asarray(mask)


def _largest(values: FloatArray, k: int) -> BoolArray:
    known = ~np.isnan(values)
    values = np.where(known, values, -1)
    smallest_kept = -np.partition(-values, k - 1, axis=1)[:, k - 1 : k]
    above, equal = values > smallest_kept, values == smallest_kept
    room = k - above.sum(axis=1, keepdims=True)
    return (above | (equal & (equal.cumsum(axis=1) <= room))) & known


def _direction(pred: FloatArray, true: FloatArray, mask: BoolArray) -> FloatArray:
    counted = mask & (true != 0)
    share = ((np.sign(pred) == np.sign(true)) & counted).sum(axis=1) / counted.sum(axis=1)
    return np.where((np.isnan(pred + true) & counted).any(axis=1), np.nan, share)


def _auroc(pred: FloatArray, _: FloatArray, de: BoolArray) -> FloatArray:
    """Area of all rows at once, as scikit-learn's of each."""
    n_de = de.sum(axis=1)
    rank_sum = np.where(de, rankdata(np.abs(pred), axis=1), 0).sum(axis=1)
    area = (rank_sum - n_de * (n_de + 1) / 2) / (n_de * (de.shape[1] - n_de))
    return np.where(np.isnan(pred).any(axis=1), np.nan, area)


def _average_precision(pred: FloatArray, _: FloatArray, de: BoolArray) -> FloatArray:
    """Mean over the genes of ``de`` of the precision among all genes that score as much.

    All rows at once, as scikit-learn's of each.
    """
    n_de = de.sum(axis=1)
    unknown = np.isnan(pred).any(axis=1)
    score = -np.where(np.isnan(pred), 0, np.abs(pred))
    found = np.take_along_axis(de, score.argsort(axis=1), axis=1).cumsum(axis=1)
    n_called = rankdata(score, method="max", axis=1).astype(int)
    precision = np.take_along_axis(found, n_called - 1, axis=1) / n_called
    average = np.where(de, precision, 0).sum(axis=1) / n_de
    return np.where(unknown | (n_de == de.shape[1]), np.nan, average)
