"""How similar genes are, by graphs and by features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from txpert._types import BoolArray, FloatArray
from txpert.graph import KnowledgeGraph

from ._heat import HeatKernel

TIMES = (2.0, 8.0)
_WIDTH = 20
"""Diffusion takes so many of the strongest edges into each gene."""
_MOST_DIRECT = 2_000
"""Anchors up to which direct links have a kernel: it takes all of their eigenvalues."""
_MOST_KEPT = 100_000_000
"""Entries of a graph's diffusion that are kept in memory, 400 MB."""
_ENTRIES = 8_000_000
"""Entries of all kernels that are held at a time before they are summed."""
_FEW = 20
"""Anchors with which direct links are expected to tell as much as diffusion."""


def check_tables(
    features: Mapping[str, pd.DataFrame] | None,
) -> Mapping[str, pd.DataFrame] | None:
    """Return tables of features if that is what they are.

    Raises
    ------
    TypeError
        If they are no dictionary of data frames.
    """
    tables = features.values() if isinstance(features, Mapping) else [features]
    if features is not None and not all(isinstance(table, pd.DataFrame) for table in tables):
        raise TypeError(
            "features is a dictionary of data frames, genes × features, by name, not "
            f"{features!r}."
        )
    return features


class GeneKernels:
    r"""Kernels between genes.

    Each graph has

    - a kernel of *direct links*: the square of the edge's weight relative to the heaviest one, 1
      on the diagonal, with its negative eigenvalues among the anchors set to 0. It looks at pairs
      of genes only, so that it is the same however wide the graph is.
    - *diffusion* kernels :math:`K_{pq} / \sqrt{d_p d_q}` with :math:`d_p \approx K_{pp}`
      (:class:`HeatKernel`) at times 2 and 8, on the 20 strongest edges into each gene.

    A graph with more edges than that which all weigh the same is refined first
    (:meth:`txpert.graph.KnowledgeGraph.refine`), since nothing else tells which edges are strong.
    Features have their inner product after centering, relative to its mean diagonal among the
    anchors. A gene without edges or features is similar to itself only, by 1.

    Parameters
    ----------
    graphs
        Knowledge graphs; each has kernels of its own.
    features
        Tables of genes × features.
    anchors
        The genes that others are compared with.

    Attributes
    ----------
    names
        Names of the kernels.
    prior
        Their expected variances relative to each other: of a graph's, direct links have
        20 / (20 + n) with n anchors.
    """

    def __init__(
        self,
        graphs: Sequence[KnowledgeGraph],
        features: Mapping[str, pd.DataFrame],
        anchors: pd.Index,
    ) -> None:
        self._graphs = [_weighted(graph) for graph in graphs if graph.n_edges]
        self._diffusions = [_Diffusion(graph.top_k(_WIDTH), anchors) for graph in self._graphs]
        self._tables = dict(features)
        self._compare_with(anchors)

    def _compare_with(self, anchors: pd.Index) -> None:
        """Make what depends on the anchors, which are among those of the diffusions."""
        self.anchors = anchors
        direct = len(anchors) <= _MOST_DIRECT
        self._direct = [_Direct(graph, anchors) for graph in self._graphs] if direct else []
        self._features = [_Features(frame, anchors) for frame in self._tables.values()]
        self.names = [
            *(f"{graph.name}, direct" for graph in self._graphs if direct),
            *(f"{graph.name}, diffusion {time:g}" for graph in self._graphs for time in TIMES),
            *self._tables,
        ]
        self.prior = self._prior()

    def _prior(self) -> FloatArray:
        """Return the expected variances of the kernels relative to each other.

        The more genes there are, the more of what they share goes beyond direct links.
        """
        direct = _FEW / (_FEW + len(self.anchors)) if self._direct else 0.0
        of_time = (1 - direct) / len(TIMES)
        return np.array(
            [direct] * len(self._direct)
            + [of_time] * (len(TIMES) * len(self._graphs))
            + [0.5] * len(self._tables)
        )

    def among(self, anchors: pd.Index) -> GeneKernels:
        """Return the kernels with some of the anchors; what has been diffused is shared.

        Kernels of direct links and scales of features depend on the anchors, so that those of
        training targets stay the same whatever else is looked at.
        """
        some = copy(self)
        some._compare_with(anchors)
        return some

    def between(self, left: pd.Index, right: pd.Index) -> FloatArray:
        """Compare genes with anchors.

        Parameters
        ----------
        left
            Any genes.
        right
            Anchors.

        Returns
        -------
        ``(n_kernels, len(left), len(right))``, in the order of ``names``.
        """
        found = np.zeros((len(self.names), len(left), len(right)), dtype=np.float32)
        at, first = right.get_indexer(left), 0
        for source in [*self._direct, *self._diffusions, *self._features]:
            some = found[first : first + source.number]
            source.compare(left, right, some)
            alone = np.flatnonzero(~source.knows(left) & (at >= 0))
            some[:, alone, at[alone]] = 1
            first += source.number
        return found

    def knows(self, genes: pd.Index) -> BoolArray:
        """Say which genes have an edge or features, ``(n_genes,)``."""
        found = np.zeros(len(genes), dtype=bool)
        for diffusion in self._diffusions:
            found |= diffusion.knows(genes)
        for features in self._features:
            found |= features.knows(genes)
        return found

    def mixtures(self, left: pd.Index, right: pd.Index, weights: FloatArray) -> FloatArray:
        """Return sums of the kernels, ``(len(weights), len(left), len(right))``."""
        sums = np.empty((len(weights), len(left), len(right)), dtype=np.float32)
        for rows, some in self.mixed_rows(left, right, weights):
            sums[:, rows] = some
        return sums

    def mixed_rows(
        self, left: pd.Index, right: pd.Index, weights: FloatArray
    ) -> Iterator[tuple[slice, FloatArray]]:
        """Yield sums of the kernels for some rows at a time, each row of weights a sum."""
        single = weights.astype(np.float32)
        width = max(1, len(self.names) * len(right))
        step = int(np.clip(_ENTRIES // width, 1, max(1, len(left))))
        for first in range(0, len(left), step):
            rows = slice(first, first + step)
            kernels = self.between(left[rows], right)
            shape = kernels.shape[1:]
            flat = single @ kernels.reshape(len(self.names), shape[0] * shape[1])
            yield rows, flat.reshape(len(weights), *shape)


def _weighted(graph: KnowledgeGraph) -> KnowledgeGraph:
    """Refine a wide graph whose edges weigh the same."""
    wide = graph.n_edges > _WIDTH * graph.n_nodes
    return graph.refine() if wide and np.ptp(graph.weight) == 0 else graph


class _Direct:
    """Squares of the weights of edges between genes and anchors."""

    number = 1

    def __init__(self, graph: KnowledgeGraph, anchors: pd.Index) -> None:
        self.nodes = graph.nodes
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
        links = self._pairs(anchors, anchors).toarray()
        np.fill_diagonal(links, 1)
        values, vectors = np.linalg.eigh(links.astype(np.float64))
        kept = vectors[:, values > 0]
        fixed = (kept * values[values > 0]) @ kept.T
        root = np.sqrt(np.diagonal(fixed))
        self._among = (fixed / np.outer(root, root)).astype(np.float32)
        self._projection = (kept @ kept.T / root).astype(np.float32)

    def knows(self, genes: pd.Index) -> BoolArray:
        return np.asarray(genes.isin(self.nodes) | genes.isin(self.anchors))

    def compare(self, left: pd.Index, right: pd.Index, found: FloatArray) -> None:
        row, column = self.anchors.get_indexer(left), self.anchors.get_indexer(right)
        known = row >= 0
        found[0, known] = self._among[np.ix_(row[known], column)]
        found[0, ~known] = self._pairs(left[~known], self.anchors) @ self._projection[:, column]

    def _pairs(self, left: pd.Index, right: pd.Index) -> sparse.csr_array:
        row, column = self.nodes.get_indexer(left), self.nodes.get_indexer(right)
        at, to = np.flatnonzero(row >= 0), np.flatnonzero(column >= 0)
        links = self._links[row[at]][:, column[to]].tocoo()
        entries = links.data, (at[links.coords[0]], to[links.coords[1]])
        return sparse.csr_array(entries, shape=(len(left), len(right)))


class _Diffusion:
    """Diffusion between genes and anchors, from the anchors as far as they are few."""

    number = len(TIMES)

    def __init__(self, graph: KnowledgeGraph, anchors: pd.Index) -> None:
        self._heat = HeatKernel(graph, TIMES)
        self.nodes = self._heat.nodes
        self._anchors = anchors[anchors.isin(self.nodes)]

    @cached_property
    def _root(self) -> FloatArray:
        return np.sqrt(self._heat.diagonal())

    @cached_property
    def _kept(self) -> FloatArray:
        """Kernel between all nodes and the anchors, ``(n_times, n_nodes, n_anchors)``."""
        anchors = self.nodes.get_indexer(self._anchors)
        columns = self._heat.stored_columns(anchors)
        columns /= self._root[:, :, None]
        columns /= self._root[:, None, anchors]
        return columns

    def knows(self, genes: pd.Index) -> npt.NDArray[np.bool_]:
        return np.asarray(genes.isin(self.nodes))

    def compare(self, left: pd.Index, right: pd.Index, found: FloatArray) -> None:
        row, column = self.nodes.get_indexer(left), self.nodes.get_indexer(right)
        at, to = np.flatnonzero(row >= 0), np.flatnonzero(column >= 0)
        if self.number * len(self.nodes) * len(self._anchors) <= _MOST_KEPT:
            anchor = self._anchors.get_indexer(right[to])
            for kernel, kept in zip(found, self._kept, strict=True):
                kernel[np.ix_(at, to)] = kept[row[at, None], anchor]
            return
        walked = self._heat.columns(row[at], column[to])
        for root, kernel, columns in zip(self._root, found, walked, strict=True):
            columns /= root[column[to], None]
            columns /= root[row[at]]
            kernel[np.ix_(at, to)] = columns.T


class _Features:
    """Inner products of features."""

    number = 1

    def __init__(self, frame: pd.DataFrame, anchors: pd.Index) -> None:
        centered = frame - frame.mean()
        size = (centered.reindex(anchors).dropna() ** 2).sum(axis=1).mean()
        self._frame = (centered / np.sqrt(size if size > 0 else 1.0)).astype(np.float32)

    def knows(self, genes: pd.Index) -> npt.NDArray[np.bool_]:
        return np.asarray(genes.isin(self._frame.index))

    def compare(self, left: pd.Index, right: pd.Index, found: FloatArray) -> None:
        of_left, of_right = (
            self._frame.reindex(genes, fill_value=0.0).to_numpy() for genes in (left, right)
        )
        found[0] = of_left @ of_right.T
