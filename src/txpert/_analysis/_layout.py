"""Orders and maps for figures: leaves of a clustering, two coordinates of embeddings."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage

from txpert._types import FloatArray, IntArray


def leaf_order(values: FloatArray) -> IntArray:
    """Order rows so that similar ones are neighbors.

    Average linkage of the Euclidean distance between rows of norm 1, which is a function of their
    cosine; leaves are swapped for short ways between neighbors (Bar-Joseph et al.,
    Bioinformatics 2001) up to 500 rows.

    Parameters
    ----------
    values
        Shape ``(n, n_features)``; NaN counts as 0.

    Returns
    -------
    Positions, ``(n,)``.
    """
    if len(values) < 3:
        return np.arange(len(values))
    filled = np.nan_to_num(np.asarray(values, dtype=float))
    norm = np.linalg.norm(filled, axis=1, keepdims=True)
    unit = np.divide(filled, norm, out=np.zeros_like(filled), where=norm > 0)
    tree = linkage(unit, "average", optimal_ordering=len(values) <= 500)
    return leaves_list(tree).astype(np.int64)


def two_coordinates(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the first two principal components, and the fraction of variance of each.

    Parameters
    ----------
    values
        Shape ``(n, n_features)``; NaN counts as the feature's mean.

    Returns
    -------
    Coordinates ``(n, 2)``, of which those that do not exist are 0, and two fractions. The entry
    of each component of largest absolute value is positive.
    """
    values = np.asarray(values, dtype=float)
    known = np.isfinite(values)
    mean = np.where(known, values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centered = np.where(known, values - mean, 0)
    left, size, _ = np.linalg.svd(centered, full_matrices=False)
    coordinates, fraction = np.zeros((len(values), 2)), np.zeros(2)
    n = min(2, len(size))
    coordinates[:, :n] = left[:, :n] * size[:n]
    largest = np.abs(coordinates).argmax(axis=0)
    coordinates *= np.where(coordinates[largest, [0, 1]] < 0, -1, 1)
    total = np.square(size).sum()
    if total > 0:
        fraction[:n] = np.square(size[:n]) / total
    return coordinates, fraction
