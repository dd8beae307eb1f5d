from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from tqdm.auto import tqdm

from ._arrays import EdgeArrays, Weights, concatenate

# A set that holds more than this share of the genes is cheaper to multiply densely.
_COMMON = 0.05
# Entries of one block of the similarity matrix: memory stays the same for any number of genes.
_BLOCK_ENTRIES = 2**23


def jaccard(members: sparse.csr_array, *, k: int | None, threshold: float = 0.0) -> EdgeArrays:
    """Compare genes by the sets they belong to: |A ∩ B| / |A ∪ B|.

    The similarity matrix is made in blocks of rows and never exists as a whole.

    Parameters
    ----------
    members
        Genes × sets, an entry for each membership, shape ``(n_genes, n_sets)``.
    k
        Number of edges to keep into each gene, the heaviest; all where ``None``.
    threshold
        Edges that weigh less are dropped, and those that weigh nothing always.
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
    rare_of_all = rare.T.tocsr()
    step = max(1, _BLOCK_ENTRIES // max(n_genes, 1))
    parts = []
    for start in tqdm(range(0, n_genes, step), desc="Jaccard", unit="block", delay=5):
        rows = slice(start, min(start + step, n_genes))
        shared = (rare[rows] @ rare_of_all).toarray()
        shared += frequent[rows] @ frequent.T
        similarity = _over_union(shared, size[rows], size)
        similarity[np.arange(len(similarity)), np.arange(rows.start, rows.stop)] = 0
        parts.append(_heaviest(similarity, start, k, threshold))
    return concatenate(parts)


def _over_union(shared: Weights, size: Weights, size_of_all: Weights) -> Weights:
    """Turn intersections into Jaccard indices, in place; two empty sets share nothing."""
    union = size[:, None] + size_of_all[None, :]
    union -= shared
    return np.divide(shared, union, out=shared, where=union > 0)


def _heaviest(similarity: Weights, start: int, k: int | None, threshold: float) -> EdgeArrays:
    """Pick the edges into the targets that a block of rows stands for."""
    chosen: npt.NDArray[np.bool_] = similarity > 0
    if threshold > 0:
        chosen &= similarity >= np.float32(threshold)
    n_genes = similarity.shape[1]
    if k is not None and k < n_genes:
        kth = np.partition(similarity, n_genes - k, axis=1)[:, n_genes - k]
        chosen &= similarity >= kth[:, None]
    target, source = np.nonzero(chosen)
    edges = EdgeArrays(source, target + start, similarity[target, source])
    return edges if k is None else edges.top_k(k)
