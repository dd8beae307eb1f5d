"""The Jaccard index of genes, by the sets they belong to."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from txpert._fingerprint import fingerprint

from ._arrays import EdgeArrays, Weights, computed_edges
from ._blocks import Similarity, top_per_target

# A set that holds more than this fraction of the genes is cheaper to multiply densely.
_COMMON = 0.05
_MANY = 2_000
"""Genes from which on edges are kept on disk."""


def jaccard_edges(
    members: sparse.csr_array, *, k: int | None, threshold: float = 0.0
) -> EdgeArrays:
    """Return the strongest edges into each gene by the Jaccard index, kept on disk if many.

    Parameters
    ----------
    members
        Genes × sets, an entry for each membership, shape ``(n_genes, n_sets)``.
    k, threshold
        As for :func:`top_per_target`.
    """
    n_genes = members.shape[0]

    def build() -> EdgeArrays:
        return top_per_target(jaccard(members), n_genes, k=k, threshold=threshold)

    if n_genes < _MANY:
        return build()
    key = fingerprint(members.indptr, members.indices, members.shape, k, threshold)
    return computed_edges("jaccard", key, build)


def jaccard(members: sparse.csr_array) -> Similarity:
    """Compare genes by the sets they belong to: |A ∩ B| / |A ∪ B|.

    Parameters
    ----------
    members
        Genes × sets, an entry for each membership, shape ``(n_genes, n_sets)``.
    """
    members = sparse.csr_array(
        (np.ones(members.nnz, np.float32), members.indices, members.indptr), shape=members.shape
    )
    n_genes, _ = members.shape
    size = np.asarray(members.sum(axis=1), dtype=np.float32)
    genes_of_set = np.asarray(members.sum(axis=0))
    common = genes_of_set > _COMMON * n_genes
    frequent = members[:, np.flatnonzero(common)].toarray()
    rare = members[:, np.flatnonzero(~common & (genes_of_set > 1))].tocsr()

    def similarity(rows: slice, columns: slice) -> Weights:
        shared = (rare[rows] @ rare[columns].T).toarray()
        shared += frequent[rows] @ frequent[columns].T
        union = size[rows, None] + size[None, columns]
        union -= shared
        # Two empty sets share nothing.
        return np.divide(shared, union, out=shared, where=union > 0)

    return similarity
