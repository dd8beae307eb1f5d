"""The Jaccard index of genes, by the sets they belong to."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ._arrays import Weights
from ._blocks import Similarity

# A set that holds more than this fraction of the genes is cheaper to multiply densely.
_COMMON = 0.05


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
