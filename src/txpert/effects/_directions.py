"""Directions of response: blocks of principal components of the training effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from txpert._types import FloatArray

_EDGES = (1, 3, 6, 12, 25, 50, 120)
"""Where blocks of components end; what is beyond is the last one."""
_EXACT = 1_500
_NEGLIGIBLE = 1e-10
"""Variance, relative to that of the first component, of a component that is none."""


@dataclass(frozen=True)
class Directions:
    """Orthonormal directions in the space of genes, in blocks.

    Attributes
    ----------
    axes
        Principal components, ``(n_components, n_genes)``; no more than 120.
    edges
        Where blocks begin and end. What is orthogonal to all components is one more block.
    n_rest
        Number of components that the last block stands for; 0 if it has none but the mean.
    """

    axes: FloatArray
    edges: list[int]
    n_rest: int

    @classmethod
    def of(cls, centered: FloatArray) -> Directions:
        """Find the components of centered effects, ``(n_rows, n_genes)``."""
        limit = min(centered.shape)
        values, axes = _exact(centered) if limit <= _EXACT else _leading(centered, _EDGES[-1])
        n = int((values > _NEGLIGIBLE * max(values[0], np.finfo(float).tiny)).sum())
        kept = min(n, _EDGES[-1])
        rest = max(min(len(centered) - 1, limit) if limit > _EXACT else n, kept) - kept
        edges = [0, *(edge for edge in _EDGES if edge < kept)]
        return cls(axes[:kept], [*edges, kept] if kept else [0], rest)

    @property
    def n_components(self) -> list[int]:
        """Number of components by block, the rest last."""
        return [*np.diff(self.edges).tolist(), self.n_rest]

    def split(self, effects: FloatArray) -> list[FloatArray]:
        """Return coordinates by block, and what is orthogonal to all, ``(n_rows, n_genes)``."""
        coordinates = effects @ self.axes.T
        blocks = [coordinates[:, a:b] for a, b in zip(self.edges, self.edges[1:], strict=False)]
        return [*blocks, effects - coordinates @ self.axes]

    def join(self, blocks: Sequence[FloatArray]) -> FloatArray:
        """Return effects from what :meth:`split` returns."""
        if len(blocks) == 1:
            return np.asarray(blocks[0])
        return np.concatenate(blocks[:-1], axis=1) @ self.axes + blocks[-1]

    def by_gene(self, variance: FloatArray, block: int) -> FloatArray:
        """Return the variance of each gene from that of a block's columns.

        Coordinates of a block share the mean of their variances.
        """
        if block == len(self.edges) - 1:
            return variance
        axes = self.axes[self.edges[block] : self.edges[block + 1]]
        return np.asarray(variance.mean() * (axes**2).sum(axis=0))


def _exact(centered: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return squared singular values, falling, and right singular vectors."""
    if len(centered) <= centered.shape[1]:
        values, left = np.linalg.eigh(centered @ centered.T)
        values, left = values[::-1], left[:, ::-1]
        some = values > _NEGLIGIBLE * max(values[0], np.finfo(float).tiny)
        some[_EDGES[-1] :] &= False
        axes = (left[:, some] / np.sqrt(values[some])).T @ centered
        return values, axes
    values, right = np.linalg.eigh(centered.T @ centered)
    return values[::-1], right[:, ::-1].T


def _leading(centered: FloatArray, number: int) -> tuple[FloatArray, FloatArray]:
    """Return the same for the largest values, by subspace iteration (Halko et al. 2011)."""
    rng = np.random.default_rng(0)
    start = rng.standard_normal((len(centered), number + 20)).astype(centered.dtype)
    for _ in range(3):
        axes = np.linalg.qr(centered.T @ start)[0]
        start = np.linalg.qr(centered @ axes)[0]
    _, values, axes = np.linalg.svd(start.T @ centered, full_matrices=False)
    return values[:number] ** 2, axes[:number]
