"""What all metrics share: checks of the arrays, and reading them in blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from txpert._types import BoolArray, FloatArray, IntArray

from ._labeled import aligned

RowScore = Callable[[FloatArray, FloatArray, BoolArray], FloatArray]

_BLOCK_VALUES = 2**21
_ROUNDING = 4 * float(np.finfo(np.float32).eps)
"""A row whose values differ by less, relative to the largest, is constant: single precision."""


def score_rows(
    score: RowScore,
    pred_delta: npt.ArrayLike,
    true_delta: npt.ArrayLike,
    genes: npt.ArrayLike | None,
    index: npt.ArrayLike | None,
) -> FloatArray:
    """Score each observed row, in blocks of float64 that fit the cache.

    ``score`` gets predicted and observed values and the mask of the genes that count, all of the
    same shape.
    """
    pred, true, genes = aligned(pred_delta, true_delta, genes, rows=index is None)
    positions = None if index is None else row_index(index, len(true), len(pred))
    check_paired(pred, true, indexed=positions is not None)
    mask = gene_mask(genes, pred.shape)
    result = np.full(len(true), np.nan)
    if not true.shape[1]:
        return result
    for rows in row_blocks(*true.shape):
        source = rows if positions is None else positions[rows]
        with np.errstate(invalid="ignore", divide="ignore"):
            result[rows] = score(to_float(pred[source]), to_float(true[rows]), mask[source])
    return result


def row_blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Slices over the rows, each of some megabytes as float64."""
    size = max(1, _BLOCK_VALUES // max(n_columns, 1))
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def to_float(values: npt.ArrayLike) -> FloatArray:
    return np.asarray(values, dtype=np.float64)


def one_dimensional(values: npt.ArrayLike) -> FloatArray:
    array = to_float(values)
    if array.ndim != 1:
        raise ValueError(f"Give one value per perturbation, not an array of shape {array.shape}.")
    return array


def check_paired(
    pred: npt.NDArray[np.generic], true: npt.NDArray[np.generic], *, indexed: bool = False
) -> None:
    """Refuse arrays that do not have the same rows (unless those are indexed) and genes."""
    if object in (pred.dtype, true.dtype):
        raise ValueError(
            "Predicted and observed Δ must be dense arrays of numbers; turn a sparse matrix into "
            "one by .toarray()."
        )
    fits = pred.ndim == true.ndim == 2 and pred.shape[1] == true.shape[1]
    if not fits or not (indexed or len(pred) == len(true)):
        raise ValueError(
            "Predicted and observed Δ must both have the shape (n_conditions, n_genes); they have "
            f"{pred.shape} and {true.shape}."
        )


def gene_mask(genes: npt.ArrayLike | None, shape: tuple[int, ...]) -> BoolArray:
    """Return a mask of this shape, from one for all rows, one for each, or all genes."""
    mask = np.asarray(True if genes is None else genes)
    allowed = shape if mask.ndim == 2 else shape[1:]
    if mask.dtype != bool or (genes is not None and mask.shape != allowed):
        raise ValueError(
            f"A mask of genes must be boolean and have the shape {shape} or {shape[1:]}; it has "
            f"{mask.shape} of {mask.dtype}."
        )
    return np.broadcast_to(mask, shape)


def row_index(index: npt.ArrayLike, n_rows: int, n_conditions: int) -> IntArray:
    """Check the position of each row's condition."""
    positions = np.asarray(index)
    if positions.shape != (n_rows,) or not np.issubdtype(positions.dtype, np.integer):
        raise ValueError(
            f"index must be a whole number for each of the {n_rows} rows scored; it has the "
            f"shape {positions.shape} of {positions.dtype}."
        )
    outside = (positions < 0) | (positions >= n_conditions)
    if outside.any():
        raise ValueError(
            f"index has {positions[outside][0]}, but there are {n_conditions} conditions, counted "
            "from 0."
        )
    return positions


def standardize(values: FloatArray, mask: BoolArray) -> FloatArray:
    """Center each row over its mask and scale it to length 1; a constant row becomes NaN."""
    values = np.where(mask, values, 0)
    n_kept = mask.sum(axis=1, keepdims=True)
    centered = np.where(mask, values - values.sum(axis=1, keepdims=True) / n_kept, 0)
    length = np.linalg.norm(centered, axis=1, keepdims=True)
    noise = _ROUNDING * np.abs(values).max(axis=1, keepdims=True, initial=0)
    return centered / np.where(length <= noise * np.sqrt(n_kept), np.nan, length)


def normalize(values: FloatArray, mask: BoolArray) -> FloatArray:
    """Scale each row to length 1 over its mask; a row of zeros becomes NaN."""
    values = np.where(mask, values, 0)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(length == 0, np.nan, length)
