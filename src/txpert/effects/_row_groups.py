"""Groups of training rows that variances are fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from txpert._types import FloatArray, IntArray

from ._covariance import Rows
from ._gene_kernels import GeneKernels
from ._layout import Layout
from ._variances import Covariance, RestrictedLikelihood

_MOST_TARGETS, _MOST_ROWS = 500, 800
"""Targets and rows of a group. The cost of a likelihood grows with the cube of its rows, that of
all groups with their number, and groups of 200 targets predict as well as all rows at once
(``benchmarks/variance_rows.py``)."""


@dataclass(frozen=True)
class RowGroup:
    """Some training rows.

    Attributes
    ----------
    at
        Which of all rows, ``(n,)``.
    rows
        The rows.
    layout
        Of log variances.
    covariance
        For log variances, and its derivatives.
    blocks
        Effects of all rows by block of directions.
    """

    at: IntArray
    rows: Rows
    layout: Layout
    covariance: Covariance
    blocks: Sequence[FloatArray]

    def effects(self, block: int) -> FloatArray:
        """Return the effects of a block of directions, ``(n, n_columns)``."""
        return self.blocks[block][self.at].astype(np.float64)

    def likelihood(self, block: int | None = None) -> RestrictedLikelihood:
        """Return the restricted likelihood of the effects of a block, or of all together."""
        chosen = range(len(self.blocks)) if block is None else [block]
        effects = np.concatenate([self.effects(b) for b in chosen], axis=1)
        return RestrictedLikelihood.of(self.covariance, self.rows.order, effects)


def row_groups(rows: Rows, kernels: GeneKernels, blocks: Sequence[FloatArray]) -> list[RowGroup]:
    """Lay out rows in groups.

    Covariances between groups are left out, as in a block composite likelihood, whose derivative
    has a mean of 0 at the true variances, like that of the whole (Eidsvik et al. 2014, Estimation
    and prediction in spatial models with block composite likelihoods, J. Comput. Graph. Stat. 23).

    Parameters
    ----------
    rows
        All rows.
    kernels
        Kernels between their targets.
    blocks
        Effects of all rows by block of directions.
    """
    layout = Layout(len(kernels.names), len(rows.factors), len(rows.contexts.contexts))
    groups = []
    for at in groups_of(rows):
        some = rows.subset(at)
        between = [some.of_rows(kernel) for kernel in kernels.between(some.targets, some.targets)]
        covariance = some.parametrized(layout, between)
        groups.append(RowGroup(at, some, layout, covariance, blocks))
    return groups


def groups_of(rows: Rows) -> list[IntArray]:
    """Divide rows into groups of nearly one size.

    Each is spread evenly over the targets. Rows of one target stand together, since they tell how
    far effects hold in other contexts.
    """
    number = max(-(-len(rows.targets) // _MOST_TARGETS), -(-len(rows) // _MOST_ROWS))
    target = rows.members.indices[rows.members.indptr[:-1]]
    spread = np.lexsort([target, target % number])
    return [np.sort(group) for group in np.array_split(spread, number)]
