"""Log variances of each block of directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import accumulate
from threading import Lock

import numpy as np
from threadpoolctl import ThreadpoolController

from txpert._accelerator import n_threads
from txpert._types import FloatArray

from ._directions import Directions
from ._row_groups import RowGroup
from ._variances import fit_log_variances, inverse_and_projector

_POOLED_EVIDENCE = 20.0
"""Measured genes vary together: all together are taken for so many independent ones."""

_limited = Lock()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Give BLAS one thread: factors of so few rows take longer on several.

    One call at a time, since the limits of two that overlap would not all be lifted.
    """
    with _limited, _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """Find the libraries of linear algebra once, which takes longer than a small fit."""
    return ThreadpoolController()


@_one_thread()
def fit_blocks(
    groups: Sequence[RowGroup],
    weights: FloatArray,
    n_components: Sequence[int],
    start: FloatArray | None = None,
) -> FloatArray:
    """Fit log variances, first to all directions, then to each block, starting from the former.

    Where there are several groups of rows, this is done with the first, and from what it finds
    with all. Blocks are fitted at the same time, in as many threads as PyTorch has; each is
    computed by one, so that variances do not depend on their number.

    Parameters
    ----------
    groups
        Training rows.
    weights
        Expected relative variances of the kernels.
    n_components
        Number of components by block: the evidence.
    start
        Where to begin by block instead, ``(n_blocks, n_parameters)``.

    Returns
    -------
    ``(n_blocks, n_parameters)``. A block of no component takes over from the one before.
    """
    prior = groups[0].layout.prior(weights, groups[0].rows.contexts)
    if sum(len(group.rows) for group in groups) < 3 or not sum(n_components):
        return np.tile(prior.center, (len(n_components), 1))
    stages = [groups] if start is not None or len(groups) == 1 else [groups[:1], groups]
    if start is None:
        evidence = min(_POOLED_EVIDENCE, float(sum(n_components)))
        pooled = fit_log_variances([groups[0].likelihood()], evidence, prior, prior.center)
        start = np.tile(pooled, (len(n_components), 1))
    begin = np.clip(start, *prior.bounds.T)

    def of_block(block: int) -> FloatArray | None:
        evidence = float(n_components[block])
        if not evidence:
            return None
        found = begin[block]
        for stage in stages:
            likelihoods = [group.likelihood(block) for group in stage]
            found = fit_log_variances(likelihoods, evidence, prior, found)
        return found

    with ThreadPoolExecutor(n_threads()) as pool:
        fitted = pool.map(of_block, range(len(n_components)))
        found = accumulate(
            fitted, lambda last, own: last if own is None else own, initial=begin[0]
        )
        return np.array([*found][1:])


@_one_thread()
def loo_variance(
    groups: Sequence[RowGroup], log_variances: FloatArray, directions: Directions
) -> FloatArray:
    r"""Return σ² by block and gene from closed-form leave-one-out errors, ``(n_blocks, n_genes)``.

    Leaving row i out, its error is :math:`[P Y]_i / P_{ii}` with variance
    :math:`\sigma^2 / P_{ii}`.
    """
    found = []
    for block, x in enumerate(log_variances):
        by_column = np.mean([_loo_variance(group, x, block) for group in groups], axis=0)
        found.append(directions.by_gene(by_column, block))
    return np.array(found)


def _loo_variance(group: RowGroup, x: FloatArray, block: int) -> FloatArray:
    """Return σ² of each column of a block."""
    _, projector, _ = inverse_and_projector(group.covariance(x)[0], group.rows.order)
    own = np.maximum(np.diagonal(projector), 1e-9)[:, None]
    errors = (projector @ group.effects(block)) ** 2
    return np.asarray((errors / own).mean(axis=0))
