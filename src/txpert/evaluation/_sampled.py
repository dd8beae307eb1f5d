"""Δ of data sets sampled from the pooled counts, for ceilings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from txpert._types import FloatArray, IntArray, Matrix
from txpert.data._group_sums import group_sums
from txpert.data._matrix import iter_chunks

from ._observations import Observations

_ENTRIES_PER_DRAW = 2**20


@dataclass(frozen=True)
class CountModel:
    """Multinomial model of the counts of a screen: each cell is a draw from its condition.

    Attributes
    ----------
    pool
        Counts of each condition, all cells added up, ``(n_conditions, n_genes)``.
    condition
        Condition of each cell, ``(n_cells,)``.
    library
        Counts of each cell, ``(n_cells,)``.
    scale
        What the counts of each cell are multiplied by before log1p, ``(n_cells,)``.
    """

    pool: FloatArray
    condition: IntArray
    library: IntArray
    scale: FloatArray

    @classmethod
    def fit(cls, counts: Matrix, X: Matrix, condition: IntArray, n_conditions: int) -> CountModel:
        """Pool the counts of each condition, in one pass over counts and one over ``X``.

        A cell's scale is its normalized total, from ``X``, over its counts. So it is that of the
        data even if genes were dropped after normalization.

        Parameters
        ----------
        counts, X
            Raw counts and log1p of normalized counts, cells × genes.
        condition
            Condition of each cell, ``(n_cells,)``.
        n_conditions
            Number of conditions.
        """
        library, total = np.zeros((2, len(condition)))
        for rows, block in iter_chunks(counts):
            library[rows] = _row_sums(block)
        for rows, block in iter_chunks(X):
            total[rows] = _row_sums(block.expm1() if sparse.issparse(block) else np.expm1(block))
        scale = np.divide(total, library, out=np.zeros_like(total), where=library > 0)
        pool = group_sums(counts, condition, n_conditions)
        return cls(pool, condition, library.round().astype(np.int64), scale)

    def sums(self, group: IntArray, n_groups: int, rng: np.random.Generator) -> FloatArray:
        """Draw two data sets and add up their log-normalized cells, condition by condition.

        Parameters
        ----------
        group
            Group of each condition, ``(n_conditions,)``.
        n_groups
            Number of groups.
        rng
            Source of randomness.

        Returns
        -------
        Shape ``(2, n_groups, n_genes)``.
        """
        sums = np.zeros((2, n_groups, self.pool.shape[1]))
        order = np.argsort(self.condition, kind="stable")
        last = np.cumsum(np.bincount(self.condition, minlength=len(self.pool)))
        for pool, target, cells in zip(self.pool, group, np.split(order, last[:-1]), strict=True):
            genes = np.flatnonzero(pool)
            if not genes.size:
                continue
            share = pool[genes] / pool.sum()
            entries = max(self.library[cells].sum(), len(genes) * len(cells))
            for block in np.array_split(cells, 1 + entries // _ENTRIES_PER_DRAW):
                counts = draw_counts(share, np.tile(self.library[block], 2), rng)
                logs = np.log1p(counts * np.tile(self.scale[block], 2))
                sums[:, target, genes] += logs.reshape(len(genes), 2, -1).sum(axis=2).T
        return sums


def draw_counts(share: FloatArray, library: IntArray, rng: np.random.Generator) -> IntArray:
    """Draw a multinomial for each cell, all with the same fractions.

    Molecules are drawn for all cells together and then dealt out at random to cells of given
    sizes, which has the same distribution and takes less than half the time.

    Parameters
    ----------
    share
        Fraction of each gene, adding up to 1, ``(n_genes,)``.
    library
        Molecules per cell, ``(n_cells,)``.
    rng
        Source of randomness.

    Returns
    -------
    Counts, shape ``(n_genes, n_cells)``.
    """
    n_genes, n_cells = len(share), len(library)
    gene = np.repeat(np.arange(n_genes), rng.multinomial(library.sum(), share))
    cell = rng.permutation(np.repeat(np.arange(n_cells), library))
    counts = np.bincount(gene * n_cells + cell, minlength=n_genes * n_cells)
    return counts.reshape(n_genes, n_cells)


def sampled_deltas(
    model: CountModel, observations: Observations, *, n_repeats: int, seed: int
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield the Δ of two data sets drawn from the model, drawn again in each repeat.

    Parameters
    ----------
    model
        The multinomial model.
    observations
        What the cells are averaged into.
    n_repeats
        Number of pairs.
    seed
        Seeds the draws; each repeat has its own.
    """
    n_cells = np.bincount(model.condition, minlength=len(model.pool))
    for repeat in range(n_repeats):
        rng = np.random.default_rng([seed, repeat])
        first, second = model.sums(observations.group, observations.n_groups, rng)
        yield observations.delta(first, n_cells), observations.delta(second, n_cells)


def _row_sums(block: Matrix) -> FloatArray:
    return np.asarray(block.sum(axis=1, dtype=np.float64)).ravel()
