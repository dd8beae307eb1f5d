"""Each metric takes ``(n_conditions, n_genes)`` arrays and returns one value per condition."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]


def pearson_delta(pred_delta: npt.ArrayLike, true_delta: npt.ArrayLike) -> FloatArray:
    r"""Pearson correlation across genes between predicted and observed Δ.

    .. math:: r_p = \frac{\langle \hat\Delta_p - \bar{\hat\Delta}_p,\; \Delta_p - \bar\Delta_p
              \rangle}{\lVert \hat\Delta_p - \bar{\hat\Delta}_p \rVert \,
              \lVert \Delta_p - \bar\Delta_p \rVert}

    Parameters
    ----------
    pred_delta, true_delta
        Expression minus that of the matched controls, shape ``(n_conditions, n_genes)``.

    Returns
    -------
    Correlations in [−1, 1], shape ``(n_conditions,)``; NaN where either Δ is constant.

    Raises
    ------
    ValueError
        If the shapes differ or are not two-dimensional.
    """
    pred, true = _paired(pred_delta, true_delta)
    return np.einsum("ij,ij->i", _standardise(pred), _standardise(true))


def mse(pred_delta: npt.ArrayLike, true_delta: npt.ArrayLike) -> FloatArray:
    """Mean over genes of the squared error of Δ, shape ``(n_conditions,)``.

    Raises
    ------
    ValueError
        If the shapes differ or are not two-dimensional.
    """
    pred, true = _paired(pred_delta, true_delta)
    return ((pred - true) ** 2).mean(axis=1)


def retrieval(
    pred_delta: npt.ArrayLike,
    true_delta: npt.ArrayLike,
    *,
    reference: npt.ArrayLike | None = None,
    n_sampled: int | None = None,
    seed: int = 0,
) -> FloatArray:
    r"""How well a prediction singles out its own perturbation from the others.

    .. math:: R_p = \frac{1}{|Q_p|} \sum_{q \in Q_p}
              \mathbb{1}\left[ r(\hat\Delta_p, \Delta_p) \ge r(\hat\Delta_p, \Delta_q) \right],

    where :math:`Q_p` are the other perturbations of the same cell line (paper, "normalized
    retrieval"), or a sample of them ("fast retrieval").

    Parameters
    ----------
    pred_delta, true_delta
        Predicted and observed Δ of the perturbations judged, one cell line,
        shape ``(n_conditions, n_genes)``.
    reference
        Observed Δ of further perturbations of that cell line, shape ``(n_reference, n_genes)``.
    n_sampled
        Compare with this many others, drawn without replacement; ``None`` compares with all.
        The paper's fast retrieval draws 100.
    seed
        Seeds the draw.

    Returns
    -------
    Shares in [0, 1], shape ``(n_conditions,)``; 1 is perfect, 0.5 chance; NaN where the
    prediction or the observation is constant, or nothing is there to compare with.

    Raises
    ------
    ValueError
        If shapes do not match or ``n_sampled`` is below 1.
    """
    pred, true = _paired(pred_delta, true_delta)
    others = np.empty((0, true.shape[1])) if reference is None else np.asarray(reference, float)
    if others.ndim != 2 or others.shape[1] != true.shape[1]:
        raise ValueError(f"reference must have {true.shape[1]} genes, not shape {others.shape}.")
    if n_sampled is not None and n_sampled < 1:
        raise ValueError(f"n_sampled must be at least 1, not {n_sampled}.")
    n = len(true)
    correlation = _standardise(pred) @ _standardise(np.vstack([true, others])).T
    own = correlation[np.arange(n), np.arange(n)]
    compared = np.isfinite(correlation)
    compared[np.arange(n), np.arange(n)] = False
    if n_sampled is not None:
        compared = _sample_columns(compared, n_sampled, seed)
    hits = (own[:, None] >= correlation) & compared
    with np.errstate(invalid="ignore"):
        share = hits.sum(axis=1) / compared.sum(axis=1)
    return np.where(np.isfinite(own), share, np.nan)


def _sample_columns(allowed: npt.NDArray[np.bool_], n: int, seed: int) -> npt.NDArray[np.bool_]:
    """Keep up to ``n`` of the allowed columns of each row."""
    keys = np.where(allowed, np.random.default_rng(seed).random(allowed.shape), np.inf)
    rank = keys.argsort(axis=1).argsort(axis=1)
    return allowed & (rank < n)


def _paired(pred: npt.ArrayLike, true: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    left, right = np.asarray(pred, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if left.ndim != 2 or left.shape != right.shape:
        raise ValueError(
            "Predicted and observed Δ must both have the shape (n_conditions, n_genes); they have "
            f"{left.shape} and {right.shape}."
        )
    return left, right


def _standardise(values: FloatArray) -> FloatArray:
    """Centre each row and scale it to length 1; a constant row becomes NaN."""
    centred = values - values.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    noise = np.finfo(np.float64).eps * np.abs(values).max(axis=1, keepdims=True, initial=0)
    constant = length <= noise * np.sqrt(values.shape[1])
    return centred / np.where(constant, np.nan, length)
