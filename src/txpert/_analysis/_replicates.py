"""How well a perturbation finds itself in another context, by representation and metric."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from txpert._types import FloatArray, IntArray

METRICS = ("pearson", "cosine", "euclidean")
REPRESENTATIONS = ("delta", "centered", "pca")
_N_COMPONENTS = 50


def replicate_retrieval(
    delta: FloatArray,
    perturbation: Sequence[str],
    context: Sequence[str],
    cells: tuple[FloatArray, IntArray] | None = None,
) -> pd.DataFrame:
    """Ask how well a perturbation finds itself in another context.

    Parameters
    ----------
    delta
        Δ of each condition, ``(n, n_genes)``.
    perturbation, context
        What was done, and where, of each row.
    cells
        Δ of single cells, ``(n_cells, n_genes)``, and the row of each cell's condition: they look
        for their perturbation among the conditions of other contexts, too.

    Returns
    -------
    One row per unit ("pseudobulk", and "cell" with ``cells``), representation (Δ, Δ minus the
    context's mean, its first 50 principal components) and metric: ``mean`` and ``quantile_90``
    over comparisons of the fraction of the other perturbations of a context that are less similar
    than the same one; 0.5 is chance; and ``n``, the number of comparisons.
    """
    names, where = np.asarray(perturbation, dtype=object), np.asarray(context, dtype=object)
    filled = np.nan_to_num(np.asarray(delta, dtype=float))
    context_mean = np.zeros_like(filled)
    for one in dict.fromkeys(where):
        context_mean[where == one] = filled[where == one].mean(axis=0)
    centered = filled - context_mean
    axes = np.linalg.svd(centered, full_matrices=False)[2][:_N_COMPONENTS].T
    forms = dict(zip(REPRESENTATIONS, (filled, centered, centered @ axes), strict=True))
    every: IntArray = np.arange(len(filled))
    units = {"pseudobulk": (forms, every)}
    if cells is not None:
        values, row = np.nan_to_num(np.asarray(cells[0], dtype=float)), cells[1]
        shifted = values - context_mean[row]
        own = dict(zip(REPRESENTATIONS, (values, shifted, shifted @ axes), strict=True))
        units["cell"] = (own, row)
    rows = []
    for unit, (queries, row) in units.items():
        for form, values in forms.items():
            for metric in METRICS:
                similar = _similarity(queries[form], values, metric)
                score = _self_ranks(similar, row, names, where)
                rows.append(
                    {
                        "unit": unit,
                        "representation": form,
                        "metric": metric,
                        "mean": float(np.mean(score)) if len(score) else np.nan,
                        "quantile_90": float(np.quantile(score, 0.9)) if len(score) else np.nan,
                        "n": len(score),
                    }
                )
    return pd.DataFrame(rows)


def _similarity(queries: FloatArray, values: FloatArray, metric: str) -> FloatArray:
    if metric == "euclidean":
        squares = [np.square(part).sum(axis=1) for part in (queries, values)]
        return 2 * queries @ values.T - squares[0][:, None] - squares[1]
    return _unit(queries, metric) @ _unit(values, metric).T


def _unit(values: FloatArray, metric: str) -> FloatArray:
    if metric == "pearson":
        values = values - values.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(values, axis=1, keepdims=True)
    return np.divide(values, norm, out=np.zeros_like(values), where=norm > 0)


def _self_ranks(
    similarity: FloatArray, row: IntArray, names: FloatArray, where: FloatArray
) -> FloatArray:
    """Return the rank of its own perturbation in each other context, of queries × conditions."""
    found = []
    for context in dict.fromkeys(where):
        column = np.flatnonzero(where == context)
        if len(column) < 2:
            continue
        for query in np.flatnonzero(where[row] != context):
            same = names[column] == names[row[query]]
            if same.sum() == 1:
                values = similarity[query, column]
                others = values[~same]
                own = values[same][0]
                found.append((others < own).mean() + (others == own).mean() / 2)
    return np.array(found)
