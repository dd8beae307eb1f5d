"""Signatures: weights of genes that effects are compared with."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._types import FloatArray, IntArray
from txpert.data._matrix import expression_matrix
from txpert.data._values import check_log_normalized

Signature = pd.Series | Mapping[str, float] | tuple[AnnData, AnnData]


def read_signature(
    signature: Signature | Any, genes: pd.Index
) -> tuple[FloatArray, IntArray, list[str]]:
    """Return weights, the positions of their genes, and genes that are not among those given.

    Parameters
    ----------
    signature
        Gene → weight; or two groups of cells, from where and to where.
    genes
        Those that effects are predicted of.

    Raises
    ------
    TypeError
        If the signature is nothing of these.
    ValueError
        If a weight is NaN or infinite, a gene occurs twice, less than half of the genes are known,
        or cells are not log-normalized.
    """
    weights = _series(signature)
    values = pd.to_numeric(weights, errors="coerce").to_numpy(dtype=float)
    if not np.isfinite(values).all():
        gene = weights.index[~np.isfinite(values)][0]
        raise ValueError(f"The signature has no finite weight for {gene!r}: leave the gene out.")
    if weights.index.has_duplicates:
        gene = weights.index[weights.index.duplicated()][0]
        raise ValueError(f"The signature has {gene!r} more than once.")
    at = genes.get_indexer(weights.index)
    missing = weights.index[at < 0].astype(str).tolist()
    if len(missing) * 2 > len(weights) or not len(weights):
        raise ValueError(
            f"Only {len(weights) - len(missing)} of the {len(weights)} genes of the signature are "
            f"among the {len(genes)} that effects are predicted of; {missing[:5]} are not. Are "
            "names of the same kind (symbols, not Ensembl ids)?"
        )
    if missing:
        shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        warnings.warn(
            f"{len(missing)} of the {len(weights)} genes of the signature are not predicted and "
            f"do not count: {shown}.",
            UserWarning,
            stacklevel=3,
        )
    return values[at >= 0], at[at >= 0], missing


def _series(signature: Any) -> pd.Series:
    if isinstance(signature, pd.Series):
        return signature
    if isinstance(signature, Mapping):
        return pd.Series(signature, dtype=object)
    of_cells = isinstance(signature, tuple) and len(signature) == 2
    if of_cells and all(isinstance(part, AnnData) for part in signature):
        return _between(*signature)
    raise TypeError(
        "A signature is a Series or mapping of genes to weights, or two AnnData: the cells to "
        f"start from and the cells to reach. It is {type(signature).__name__}."
    )


def _between(start: AnnData, goal: AnnData) -> pd.Series:
    """Return the difference of the mean profiles of two groups of cells."""
    means = []
    for cells in (start, goal):
        if not cells.n_obs:
            raise ValueError("One of the two groups of cells is empty.")
        mean = np.asarray(expression_matrix(cells, None).mean(axis=0)).ravel()
        means.append(pd.Series(mean, index=cells.var_names))
    of_effects = not means[0].any() or any((mean < 0).any() for mean in means)
    for cells in () if of_effects else (start, goal):
        check_log_normalized(expression_matrix(cells, None), "X of the cells of a signature")
    return (means[1] - means[0]).reindex(start.var_names.intersection(goal.var_names))
