"""The Δ that metrics compare: its point of reference and its scale."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from txpert._constants import TARGET_SUM
from txpert._types import FloatArray

from ._arrays import to_float
from ._labeled import aligned_genes, aligned_series, as_frame, row_labels


def against_perturbed_mean(
    delta: npt.ArrayLike, reference: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> FloatArray:
    """Δ to the mean of perturbed cells rather than to controls.

    What all perturbations have in common, such as stress, drops out, so a correlation of this Δ
    asks for what is specific to a perturbation. Predicted and observed Δ take the same reference.

    Parameters
    ----------
    delta
        Expression minus that of the matched controls, shape ``(n_conditions, n_genes)``, of one
        cell line.
    reference
        Observed Δ of the perturbations to average, shape ``(n_reference, n_genes)``: those of the
        training set, so that no test perturbation is used.
    weights
        Weight of each, such as its number of cells, shape ``(n_reference,)``; equal by default.

    Returns
    -------
    Δ minus the average, of the shape of ``delta``.

    Raises
    ------
    ValueError
        If the genes do not match, the reference is empty, or weights are negative or all zero.

    References
    ----------
    Viñas Torné et al., Systema, Nature Biotechnology 2025, doi:10.1038/s41587-025-02777-8.

    Examples
    --------
    >>> import txpert as tx
    >>> train = [[2.0, 0.0, 0.0], [2.0, 4.0, 0.0]]
    >>> tx.metrics.against_perturbed_mean([[2.0, 2.0, 1.0]], train).tolist()
    [[0.0, 0.0, 1.0]]
    """
    if weights is not None:
        _, weights = aligned_series(row_labels(reference), weights)
    values, others = to_float(as_frame(delta)), to_float(aligned_genes(reference, delta))
    if values.ndim != 2 or others.ndim != 2 or values.shape[1] != others.shape[1]:
        raise ValueError(
            f"Δ and reference must have the same genes; their shapes are {values.shape} and "
            f"{others.shape}."
        )
    if not len(others):
        raise ValueError("reference is empty: give the Δ of at least one perturbation.")
    weight = np.ones(len(others)) if weights is None else to_float(weights)
    if weight.shape != (len(others),) or not (weight >= 0).all() or not weight.any():
        raise ValueError(
            f"weights must be one number for each of the {len(others)} rows of reference, none "
            "negative and not all zero."
        )
    return values - weight @ others / weight.sum()


def check_scale(delta: npt.ArrayLike, *, target_sum: float = TARGET_SUM) -> None:
    r"""Refuse a Δ that no log-normalized data can have.

    :math:`\log(1 + x)` of counts normalized to :math:`T` per cell lies between 0 and
    :math:`\log(1 + T)`, so no difference of two profiles is larger than that. Counts or counts per
    million break the bound as soon as some gene is highly expressed. What stays below it, such as
    moderate z-scores, is not found out.

    Parameters
    ----------
    delta
        Predicted or observed Δ, shape ``(n_conditions, n_genes)``.
    target_sum
        Counts per cell after normalization, :math:`T`.

    Raises
    ------
    ValueError
        If a Δ is beyond the bound, with its place, or the array is not two-dimensional.

    Examples
    --------
    >>> check_scale([[0.1, -0.4]])
    >>> check_scale([[0.1, 35.0]])
    Traceback (most recent call last):
    ...
    ValueError: Δ is 35 in row 0, column 1, but log1p of counts normalized to 4000 per cell ...
    """
    values = np.asarray(as_frame(delta))
    if values.ndim != 2:
        raise ValueError(f"Δ must be conditions × genes, dense, not of shape {values.shape}.")
    size = np.where(np.isnan(values), 0, np.abs(values))
    bound = np.log1p(target_sum)
    if size.size and size.max() > bound * (1 + 1e-6):
        row, column = np.unravel_index(size.argmax(), size.shape)
        raise ValueError(
            f"Δ is {values[row, column]:g} in row {row}, column {column}, but log1p of counts "
            f"normalized to {target_sum:g} per cell cannot differ by more than {bound:.3g}. "
            "Predictions are on another scale (counts?): take log1p of normalized counts and "
            "subtract the controls, or give the target_sum of your data."
        )
