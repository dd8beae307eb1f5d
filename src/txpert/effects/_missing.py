"""Effects that were not measured, to begin with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from txpert._types import FloatArray


def context_means(y: FloatArray, context: npt.NDArray[np.integer]) -> FloatArray:
    """Return the mean of each row's context, ``(n_rows, n_genes)``."""
    in_context = np.eye(context.max() + 1, dtype=y.dtype)[context]
    means = (in_context.T @ y) / np.maximum(in_context.sum(axis=0), 1)[:, None]
    return np.asarray(means[context])


def first_guess(delta: FloatArray, context: npt.NDArray[np.integer]) -> FloatArray:
    """Return effects with the mean of the context, else that of all, else 0 where one is missing.

    Parameters
    ----------
    delta
        Effects with NaN, ``(n_rows, n_genes)``.
    context
        Context of each row.
    """
    observed = ~np.isnan(delta)
    zeroed = np.where(observed, delta, 0.0)
    in_context = np.eye(context.max() + 1)[context]
    sums, counts = in_context.T @ zeroed, in_context.T @ observed
    overall = sums.sum(axis=0) / np.maximum(counts.sum(axis=0), 1)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
    return np.where(observed, delta, means[context])
