"""Log variances of each block of directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import accumulate
from threading import Lock

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from txpert._accelerator import n_threads
from txpert._types import FloatArray

from ._covariance import Rows
from ._layout import Layout
from ._variances import fit_log_variances, inverse_and_projector

_MOST_ROWS = 750
"""Rows that variances are fitted to; 100 of 351 predict real screens as well as all do
(``benchmarks/variance_rows.py``)."""
_POOLED_EVIDENCE = 20.0
"""Measured genes vary together: all together are taken for so many independent ones."""


def thinned(n: int) -> npt.NDArray[np.integer]:
    """Return rows to look at, evenly spaced where there are many."""
    return np.linspace(0, n - 1, min(n, _MOST_ROWS)).astype(int)


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
    rows: Rows,
    kernels: Sequence[FloatArray],
    weights: FloatArray,
    blocks: Sequence[FloatArray],
    n_components: Sequence[int],
) -> FloatArray:
    """Fit log variances, first to all directions, then to each block, starting from the former.

    Blocks are fitted at the same time, in as many threads as PyTorch has; each is computed by one,
    so that variances do not depend on their number.

    Parameters
    ----------
    rows
        The rows looked at.
    kernels
        Between them.
    weights
        Expected relative variances of the kernels.
    blocks
        Their effects by block.
    n_components
        Number of components by block: the evidence.

    Returns
    -------
    ``(n_blocks, n_parameters)``. A block of no component takes over from the one before.
    """
    layout = Layout(len(kernels), len(rows.factors), len(rows.contexts.contexts))
    prior = layout.prior(weights, rows.contexts)
    covariance = rows.parametrized(layout, kernels)
    effects, trend = [block.astype(np.float64) for block in blocks], rows.order
    if len(rows) < 3 or not sum(n_components):
        return np.tile(prior.center, (len(blocks), 1))
    evidence = min(_POOLED_EVIDENCE, float(sum(n_components)))
    whole = np.concatenate(effects, axis=1)
    pooled = fit_log_variances(covariance, trend, whole, evidence, prior, prior.center)
    start = np.clip(pooled, *prior.bounds.T)

    def of_block(block: FloatArray, number: int) -> FloatArray | None:
        if not number:
            return None
        return fit_log_variances(covariance, trend, block, float(number), prior, start)

    with ThreadPoolExecutor(n_threads()) as pool:
        fitted = pool.map(of_block, effects, n_components)
        found = accumulate(fitted, lambda last, own: last if own is None else own, initial=pooled)
        return np.array([*found][1:])


@_one_thread()
def loo_variance(
    rows: Rows,
    kernels: Sequence[FloatArray],
    log_variances: FloatArray,
    blocks: Sequence[FloatArray],
    axes: FloatArray,
    edges: Sequence[int],
) -> FloatArray:
    r"""Return σ² by block and gene from closed-form leave-one-out errors, ``(n_blocks, n_genes)``.

    Leaving row i out, its error is :math:`[P Y]_i / P_{ii}` with variance
    :math:`\sigma^2 / P_{ii}`.
    """
    layout = Layout(len(kernels), len(rows.factors), len(rows.contexts.contexts))
    covariance = rows.parametrized(layout, kernels)
    found = []
    for block, (x, y) in enumerate(zip(log_variances, blocks, strict=True)):
        _, projector, _ = inverse_and_projector(covariance(x)[0], rows.order)
        errors = (projector @ y) ** 2
        own = np.maximum(np.diagonal(projector), 1e-9)[:, None]
        by_column = (errors / own).mean(axis=0)
        if block < len(edges) - 1:
            axes_of = axes[edges[block] : edges[block + 1]]
            found.append(by_column.mean() * (axes_of**2).sum(axis=0))
        else:
            found.append(by_column)
    return np.array(found)
