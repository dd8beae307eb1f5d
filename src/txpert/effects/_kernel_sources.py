"""What kernels between genes come from: links, diffusion and features."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import linalg, sparse

from txpert._types import BoolArray, FloatArray, IntArray
from txpert.graph import KnowledgeGraph

from ._heat import HeatKernel

TIMES = (2.0, 8.0)
_MOST_KEPT = 100_000_000
"""Entries of a graph's diffusion that are kept in memory where all genes are asked for, 400 MB."""
_LITTLE = 25_000_000
"""Entries that are kept at once, 100 MB."""
_NO_VALUE = 1e-9
"""Eigenvalues up to this are none but for rounding."""


class Positions:
    """Positions of genes among others; those of the genes asked for last are remembered.

    A large matrix is made some rows at a time, and every time all its columns are asked for.
    """

    def __init__(self, genes: pd.Index) -> None:
        self._genes = genes
        self._last: tuple[pd.Index, IntArray] = genes[:0], np.zeros(0, dtype=np.intp)

    def __call__(self, asked: pd.Index) -> IntArray:
        """Return the positions, -1 where there is none."""
        known, position = self._last
        if known is not asked:
            position = self._genes.get_indexer(asked)
            self._last = asked, position
        return position


class Direct:
    """Squares of the weights of edges between genes and anchors."""

    number = 1

    def __init__(self, graph: KnowledgeGraph, anchors: pd.Index) -> None:
        self.nodes = graph.nodes
        self._column_of = Positions(graph.nodes)
        weight = (graph.weight / graph.weight.max()) ** 2
        size = graph.n_nodes, graph.n_nodes
        links = sparse.csr_array((weight, (graph.target, graph.source)), shape=size)
        self._links = sparse.csr_array(links.maximum(links.T))
        self._fix(anchors)

    def _fix(self, anchors: pd.Index) -> None:
        """Make the kernel between anchors positive semidefinite.

        Links of other genes to anchors go through the same projection, away from the eigenvectors
        of negative eigenvalues, without which they would not fit that kernel (Chen et al. 2009,
        Similarity-based classification, JMLR 10).
        """
        self.anchors = anchors
        self._anchor_of = Positions(anchors)
        pairs = self._pairs(anchors, anchors)
        linked = np.flatnonzero(np.diff(pairs.indptr))
        among = pairs.toarray().astype(np.float64)
        np.fill_diagonal(among, 1)
        self._away = np.zeros((len(anchors), 0), dtype=np.float32)
        root = np.ones(len(anchors))
        if not _is_definite(among, linked):
            some = np.ix_(linked, linked)
            values, vectors = linalg.eigh(among[some], subset_by_value=(-np.inf, _NO_VALUE))
            among[some] -= (vectors * values) @ vectors.T
            root[linked] = np.sqrt(np.diagonal(among)[linked])
            among /= root[:, None]
            among /= root
            self._away = np.zeros((len(anchors), len(values)), dtype=np.float32)
            self._away[linked] = vectors
        self._among = among.astype(np.float32)
        self._root = root.astype(np.float32)

    def knows(self, genes: pd.Index) -> BoolArray:
        known = self.nodes.get_indexer(genes) >= 0
        return known | (self.anchors.get_indexer(genes) >= 0)

    def compare(self, left: pd.Index, right: pd.Index, found: FloatArray) -> None:
        row, column = self.anchors.get_indexer(left), self._anchor_of(right)
        known = row >= 0
        found[0, known] = self._among[np.ix_(row[known], column)]
        links = self._pairs(left[~known], self.anchors)
        away = (links @ self._away) @ self._away[column].T
        found[0, ~known] = (links[:, column].toarray() - away) / self._root[column]

    def _pairs(self, left: pd.Index, right: pd.Index) -> sparse.csr_array:
        row, column = self.nodes.get_indexer(left), self._column_of(right)
        at, to = np.flatnonzero(row >= 0), np.flatnonzero(column >= 0)
        links = self._links[row[at]][:, column[to]].tocoo()
        entries = links.data, (at[links.coords[0]], to[links.coords[1]])
        return sparse.csr_array(entries, shape=(len(left), len(right)))


class Diffusion:
    """Diffusion between genes and anchors.

    A fit compares anchors alone. Where all genes of the graph take more than a little memory, they
    are diffused to once more of them are expected than there are anchors.
    """

    number = len(TIMES)

    def __init__(self, graph: KnowledgeGraph, anchors: pd.Index) -> None:
        self._heat = HeatKernel(graph, TIMES)
        self.nodes = self._heat.nodes
        self._column_of = Positions(self.nodes)
        self._anchors = self.nodes.get_indexer(anchors[anchors.isin(self.nodes)])
        self._place = np.full(len(self.nodes), -1)
        self._place[self._anchors] = np.arange(len(self._anchors))
        self._n_expected = 0

    @cached_property
    def _root(self) -> FloatArray:
        return np.sqrt(self._heat.diagonal())

    @cached_property
    def _from_all(self) -> FloatArray:
        """Kernel between all nodes and the anchors, ``(n_times, n_nodes, n_anchors)``."""
        return self._relative(self._heat.stored_columns(self._anchors), slice(None), self._anchors)

    @cached_property
    def _among(self) -> FloatArray:
        """Kernel between the anchors, ``(n_times, n_anchors, n_anchors)``."""
        anchors = self._anchors
        return self._relative(self._heat.stored_columns(anchors, anchors), anchors, anchors)

    def _relative(
        self, kernels: FloatArray, rows: IntArray | slice, columns: IntArray
    ) -> FloatArray:
        """Divide kernels, in place, by the roots of both nodes' own values."""
        kernels /= self._root[:, rows, None]
        kernels /= self._root[:, None, columns]
        return kernels

    def knows(self, genes: pd.Index) -> npt.NDArray[np.bool_]:
        return self.nodes.get_indexer(genes) >= 0

    def expect(self, genes: pd.Index) -> None:
        """Count genes that will be compared, so that many are prepared for at once."""
        row = self.nodes.get_indexer(genes)
        self._n_expected += int((self._place[row[row >= 0]] < 0).sum())

    def compare(self, left: pd.Index, right: pd.Index, found: FloatArray) -> None:
        row, column = self.nodes.get_indexer(left), self._column_of(right)
        at, to = np.flatnonzero(row >= 0), np.flatnonzero(column >= 0)
        values = self._between(row[at], column[to])
        if len(to) < len(right):
            known, values = values, np.zeros((self.number, len(at), len(right)), dtype=np.float32)
            values[:, :, to] = known
        found[:, at] = values

    def _between(self, rows: IntArray, columns: IntArray) -> FloatArray:
        """Return the kernels between nodes and anchors, by their positions among the nodes."""
        place, anchor = self._place[rows], self._place[columns]
        if self._keeps_all:
            return self._from_all.take(rows, axis=1).take(anchor, axis=2)
        if (place >= 0).all() and self.number * len(self._anchors) ** 2 <= _LITTLE:
            return self._among.take(place, axis=1).take(anchor, axis=2)
        walked = self._relative(self._heat.columns(rows, columns), columns, rows)
        return walked.transpose(0, 2, 1)

    @property
    def _keeps_all(self) -> bool:
        size = self.number * len(self.nodes) * len(self._anchors)
        return size <= _LITTLE or (size <= _MOST_KEPT and self._n_expected > len(self._anchors))


def _is_definite(matrix: FloatArray, some: npt.NDArray[np.integer]) -> bool:
    """Say whether all eigenvalues of some rows and columns are positive."""
    lifted = matrix[np.ix_(some, some)]
    lifted[np.diag_indices(len(some))] -= _NO_VALUE
    try:
        linalg.cholesky(lifted, overwrite_a=True, check_finite=False)
    except linalg.LinAlgError:
        return False
    return True


class Features:
    """Inner products of features."""

    number = 1

    def __init__(self, frame: pd.DataFrame, anchors: pd.Index) -> None:
        centered = frame - frame.mean()
        size = (centered.reindex(anchors).dropna() ** 2).sum(axis=1).mean()
        self._frame = (centered / np.sqrt(size if size > 0 else 1.0)).astype(np.float32)

    def knows(self, genes: pd.Index) -> npt.NDArray[np.bool_]:
        return self._frame.index.get_indexer(genes) >= 0

    def compare(self, left: pd.Index, right: pd.Index, found: FloatArray) -> None:
        of_left, of_right = (
            self._frame.reindex(genes, fill_value=0.0).to_numpy() for genes in (left, right)
        )
        found[0] = of_left @ of_right.T
