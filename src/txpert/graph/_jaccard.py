"""The Jaccard index of genes, by the sets they belong to."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from txpert._fingerprint import fingerprint
from txpert._types import FloatArray

from ._arrays import EdgeArrays, Weights, computed_edges
from ._blocks import Similarity, top_per_target

# A set that holds more than this fraction of the genes is cheaper to multiply densely.
_COMMON = 0.05
_MANY = 2_000
"""Genes from which on edges are kept on disk."""
_STEP = 1 / 1024
"""Weights of sets are multiples of it, which single precision adds exactly in any order."""


def jaccard_edges(
    members: sparse.csr_array,
    weights: FloatArray | None = None,
    *,
    k: int | None,
    threshold: float = 0.0,
) -> EdgeArrays:
    """Return the strongest edges into each gene by the Jaccard index, kept on disk if many.

    Parameters
    ----------
    members, weights
        As for :func:`jaccard`.
    k, threshold
        As for :func:`top_per_target`.
    """
    n_genes = members.shape[0]

    def build() -> EdgeArrays:
        return top_per_target(jaccard(members, weights), n_genes, k=k, threshold=threshold)

    if n_genes < _MANY:
        return build()
    key = fingerprint(members.indptr, members.indices, members.shape, weights, k, threshold)
    return computed_edges("jaccard", key, build)


def information_content(members: sparse.csr_array) -> FloatArray:
    """Return how much a set says of a gene: 1 for a set of one gene, near 0 for that of all.

    Its information content (Resnik 1995, doi 10.48550/arXiv.cmp-lg/9511007) relative to that of a
    set of one gene.
    """
    n_genes = members.shape[0]
    of_set = np.maximum(np.bincount(members.indices, minlength=members.shape[1]), 1)
    return np.log((n_genes + 1) / of_set) / np.log(n_genes + 1)


def jaccard(members: sparse.csr_array, weights: FloatArray | None = None) -> Similarity:
    """Compare genes by the sets they belong to: |A ∩ B| / |A ∪ B|.

    Parameters
    ----------
    members
        Genes × sets, an entry for each membership, shape ``(n_genes, n_sets)``.
    weights
        Weight of each set, ``(n_sets,)``, rounded to 1/1024; 1 by default.
    """
    n_genes, n_sets = members.shape
    count = np.ones(n_sets) if weights is None else np.round(weights / _STEP) * _STEP
    count = count.astype(np.float32)
    members = sparse.csr_array(
        (np.ones(members.nnz, np.float32), members.indices, members.indptr), shape=members.shape
    )
    size = members @ count
    genes_of_set = np.bincount(members.indices, minlength=n_sets)
    common = genes_of_set > _COMMON * n_genes
    frequent = members[:, np.flatnonzero(common)].toarray()
    counted_frequent = frequent * count[common]
    shared_by_few = np.flatnonzero(~common & (genes_of_set > 1))
    rare = members[:, shared_by_few].tocsr()
    counted_rare = rare.copy()
    counted_rare.data = count[shared_by_few][rare.indices]

    def similarity(rows: slice, columns: slice) -> Weights:
        shared = (counted_rare[rows] @ rare[columns].T).toarray()
        shared += counted_frequent[rows] @ frequent[columns].T
        union = size[rows, None] + size[None, columns]
        union -= shared
        # Two empty sets share nothing.
        return np.divide(shared, union, out=shared, where=union > 0)

    return similarity
