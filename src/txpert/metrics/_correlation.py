"""How well the direction of a predicted Δ agrees with the observed one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from txpert._types import BoolArray, FloatArray

from ._arrays import normalize, score_rows, standardize


def pearson_delta(
    pred_delta: npt.ArrayLike,
    true_delta: npt.ArrayLike,
    *,
    genes: npt.ArrayLike | None = None,
    index: npt.ArrayLike | None = None,
) -> FloatArray:
    r"""Pearson correlation across genes between predicted and observed Δ.

    .. math:: r_p = \frac{\langle \hat\Delta_p - \bar{\hat\Delta}_p,\; \Delta_p - \bar\Delta_p
              \rangle}{\lVert \hat\Delta_p - \bar{\hat\Delta}_p \rVert \,
              \lVert \Delta_p - \bar\Delta_p \rVert}

    Parameters
    ----------
    pred_delta, true_delta
        Expression minus that of the matched controls, shape ``(n_conditions, n_genes)``.
    genes
        Genes that count: a boolean mask of the shape of ``pred_delta``, as
        :func:`~txpert.metrics.top_genes` gives, or one of shape ``(n_genes,)`` for all conditions.
        All by default.
    index
        For observations that are single cells, ``true_delta`` of shape ``(n_cells, n_genes)``:
        the row of ``pred_delta`` that each is compared with, shape ``(n_cells,)``. Predictions
        need not be repeated.

    Returns
    -------
    Correlations in [−1, 1], one per row of ``true_delta``; NaN where either Δ is constant over
    the genes that count, or has NaN or infinite values there.

    Raises
    ------
    ValueError
        If the shapes do not fit, or ``index`` points at no prediction.

    Examples
    --------
    The second prediction is right about the two genes that change most, and wrong about others:

    >>> import txpert as tx
    >>> truth = [[3.0, -2.0, 0.1, 0.0], [0.0, 0.3, -4.0, 2.0]]
    >>> pred = [[2.0, -1.0, 0.0, 0.0], [3.0, -3.0, -2.0, 1.0]]
    >>> tx.metrics.pearson_delta(pred, truth).round(2).tolist()
    [0.99, 0.41]
    >>> top = tx.metrics.top_genes(truth, 2)
    >>> tx.metrics.pearson_delta(pred, truth, genes=top).round(2).tolist()
    [1.0, 1.0]

    Three cells, the first of which has the first perturbation:

    >>> tx.metrics.pearson_delta(pred, [[1, -1, 0, 0], [2, -2, 0, 0], [0, 0, -1, 1]],
    ...                          index=[0, 1, 1]).round(2).tolist()
    [0.97, 0.89, 0.44]
    """
    return score_rows(_pearson, pred_delta, true_delta, genes, index)


def spearman_delta(
    pred_delta: npt.ArrayLike,
    true_delta: npt.ArrayLike,
    *,
    genes: npt.ArrayLike | None = None,
    index: npt.ArrayLike | None = None,
) -> FloatArray:
    """Spearman correlation across genes between predicted and observed Δ.

    The Pearson correlation of ranks, those of equal values averaged. Takes, returns and raises
    what :func:`pearson_delta` does.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.metrics.spearman_delta([[1.0, 2.0, 9.0]], [[0.1, 0.2, 0.3]]).round(6).tolist()
    [1.0]
    """
    return score_rows(_spearman, pred_delta, true_delta, genes, index)


def cosine_delta(
    pred_delta: npt.ArrayLike,
    true_delta: npt.ArrayLike,
    *,
    genes: npt.ArrayLike | None = None,
    index: npt.ArrayLike | None = None,
) -> FloatArray:
    r"""Cosine of the angle between predicted and observed Δ.

    .. math:: \cos_p = \frac{\langle \hat\Delta_p, \Delta_p \rangle}
              {\lVert \hat\Delta_p \rVert \, \lVert \Delta_p \rVert}

    As :func:`pearson_delta` but without centering: a shift of all genes counts. Takes and raises
    what that does.

    Returns
    -------
    Cosines in [−1, 1], one per row of ``true_delta``; NaN where either Δ is zero for all genes
    that count, or has NaN or infinite values there.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.metrics.cosine_delta([[1.0, 2.0]], [[2.0, 4.0]]).round(6).tolist()
    [1.0]
    """
    return score_rows(_cosine, pred_delta, true_delta, genes, index)


def _pearson(pred: FloatArray, true: FloatArray, mask: BoolArray) -> FloatArray:
    return np.einsum("ij,ij->i", standardize(pred, mask), standardize(true, mask))


def _spearman(pred: FloatArray, true: FloatArray, mask: BoolArray) -> FloatArray:
    return _pearson(_ranks(pred, mask), _ranks(true, mask), mask)


def _cosine(pred: FloatArray, true: FloatArray, mask: BoolArray) -> FloatArray:
    return np.einsum("ij,ij->i", normalize(pred, mask), normalize(true, mask))


def _ranks(values: FloatArray, mask: BoolArray) -> FloatArray:
    """Ranks among the genes of the mask: all others come last."""
    ranks = rankdata(np.where(mask, values, np.inf), axis=1)
    return np.where(np.isfinite(values), ranks, np.nan)
