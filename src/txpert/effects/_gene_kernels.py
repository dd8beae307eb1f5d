"""Kernels between genes: diffusion on graphs, and features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from txpert._types import FloatArray
from txpert.graph import KnowledgeGraph
from txpert.graph._diffusion import Diffusion

_TIMES = (2.0, 4.0, 8.0, 16.0)
_MOST_KEPT = 4_000
"""Genes besides the anchors whose walks are remembered."""


class GeneKernels:
    r"""Says how alike genes are, by graphs and by features.

    For each graph, as given and refined (:meth:`txpert.graph.KnowledgeGraph.refine`), and each
    time t there are two kernels: the rows of K from ``diffusion_kernel``, and
    :math:`K_{pq} / \sqrt{K_{pp} K_{qq}}`, in which a gene with many neighbours is as like them as
    one with few. Features have their inner product, after centring. Genes without edges or
    features are like no other.

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
    """

    def __init__(
        self,
        graphs: Sequence[KnowledgeGraph],
        features: Mapping[str, pd.DataFrame],
        anchors: pd.Index,
    ) -> None:
        given = [graph for graph in graphs if graph.n_edges]
        used = given + [graph.refine() for graph in given]
        self._diffusions = [Diffusion([graph], _TIMES) for graph in used]
        self._features = {name: _centred(frame) for name, frame in features.items()}
        self.anchors = anchors
        self._genes = anchors[:0]
        self._walks = [_no_walks(len(anchors)) for _ in self._diffusions]
        self.names = [
            f"{graph.name}{state}, {form} {time:g}"
            for state in ("", " refined")
            for graph in given
            for time in _TIMES
            for form in ("walks of", "scaled walks of")
        ] + list(features)

    def between(self, left: pd.Index, right: pd.Index) -> list[FloatArray]:
        """Compare genes with anchors.

        Parameters
        ----------
        left
            Any genes.
        right
            Anchors.

        Returns
        -------
        One matrix per kernel, ``(len(left), len(right))``.
        """
        self._walk(left.append(right))
        row, of_right = self._genes.get_indexer(left), self._genes.get_indexer(right)
        column = self.anchors.get_indexer(right)
        kernels = []
        for of_graph in self._walks:
            for walks in of_graph:
                kernel = walks.kernel[np.ix_(row, column)]
                own = np.outer(walks.own[row], walks.own[of_right])
                kernels += [kernel, kernel / np.sqrt(own)]
        for frame in self._features.values():
            kernels.append(_rows(frame, left) @ _rows(frame, right).T)
        return kernels

    def _walk(self, genes: pd.Index) -> None:
        """Walk from the genes, if this has not been done."""
        wanted = genes.unique()
        new = wanted.difference(self._genes, sort=False)
        if len(new):
            if len(self._genes) + len(new) > len(self.anchors) + _MOST_KEPT:
                self._genes = self._genes[:0]
                self._walks = [_no_walks(len(self.anchors)) for _ in self._diffusions]
                new = wanted
            self._genes = self._genes.append(new)
            for diffusion, of_graph in zip(self._diffusions, self._walks, strict=True):
                found = _walks(diffusion, new, self.anchors)
                of_graph[:] = [a.followed_by(b) for a, b in zip(of_graph, found, strict=True)]


class Walks(NamedTuple):
    """The diffusion kernel between genes and anchors, and of each gene with itself."""

    kernel: FloatArray
    own: FloatArray

    def followed_by(self, other: Walks) -> Walks:
        """Return walks from these genes and others."""
        return Walks(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


def _no_walks(n_anchors: int) -> list[Walks]:
    empty = Walks(np.zeros((0, n_anchors), np.float32), np.zeros(0, np.float32))
    return [empty] * len(_TIMES)


def _walks(diffusion: Diffusion, genes: pd.Index, anchors: pd.Index) -> list[Walks]:
    """Return the kernel of each time; genes that the graph lacks are like no other."""
    found = [
        Walks(np.zeros((len(genes), len(anchors)), np.float32), np.ones(len(genes), np.float32))
        for _ in _TIMES
    ]
    node, end = (diffusion.nodes.get_indexer(index) for index in (genes, anchors))
    row, column = np.flatnonzero(node >= 0), np.flatnonzero(end >= 0)
    for block, ended in diffusion.blocks(node[row]):
        some = row[block]
        for walks, values in zip(found, ended, strict=True):
            walks.kernel[np.ix_(some, column)] = values[end[column]].T
            walks.own[some] = values[node[some], np.arange(len(some))]
    return found


def _centred(frame: pd.DataFrame) -> pd.DataFrame:
    return (frame - frame.mean()).astype(np.float32)


def _rows(frame: pd.DataFrame, genes: pd.Index) -> FloatArray:
    return frame.reindex(genes, fill_value=0.0).to_numpy()
