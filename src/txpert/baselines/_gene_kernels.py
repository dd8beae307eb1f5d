from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from txpert.graph import KnowledgeGraph, diffusion_kernel

Array = npt.NDArray[np.floating]

_TIMES = (2.0, 4.0, 8.0, 16.0)
_BLOCK = 256
"""Genes compared at a time, which bounds the memory."""


class GeneKernels:
    r"""Says how alike genes are, by graphs and by features.

    For each graph and each time t there are two kernels: the rows of K from
    :func:`txpert.graph.diffusion_kernel`, and :math:`K_{pq} / \sqrt{K_{pp} K_{qq}}`, in which a
    gene with many neighbours is as like them as one with few. Features have their inner product,
    after centring. Genes without edges or features are like no other.

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
        self._graphs = [graph for graph in graphs if graph.n_edges]
        self._features = {name: _centred(frame) for name, frame in features.items()}
        self.anchors = anchors
        self.names = [
            f"{graph.name}, {form} {time:g}"
            for graph in self._graphs
            for time in _TIMES
            for form in ("walks of", "scaled walks of")
        ] + list(features)

    def between(self, left: pd.Index, right: pd.Index) -> list[Array]:
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
        row, column = self.anchors.get_indexer(left), self.anchors.get_indexer(right)
        if (row >= 0).all():
            return [kernel[np.ix_(row, column)] for kernel in self._within]
        return [kernel[:, column] for kernel in self._compare(left)]

    @cached_property
    def _within(self) -> list[Array]:
        return self._compare(self.anchors)

    @cached_property
    def _walks_within(self) -> list[list[Walks]]:
        return [_walks(graph, self.anchors, self.anchors) for graph in self._graphs]

    def _compare(self, genes: pd.Index) -> list[Array]:
        kernels = []
        for graph, within in zip(self._graphs, self._walks_within, strict=True):
            same = genes is self.anchors
            walks = within if same else _walks(graph, genes, self.anchors)
            for one, other in zip(walks, within, strict=True):
                kernels += [one.kernel, one.kernel / np.sqrt(np.outer(one.own, other.own))]
        for frame in self._features.values():
            rows, columns = (_rows(frame, some) for some in (genes, self.anchors))
            kernels.append(rows @ columns.T)
        return kernels


class Walks(NamedTuple):
    """The diffusion kernel between genes and anchors, and of each gene with itself."""

    kernel: Array
    own: Array


def _walks(graph: KnowledgeGraph, genes: pd.Index, anchors: pd.Index) -> list[Walks]:
    """Return the kernel of each time; genes that the graph lacks are like no other."""
    found = [
        Walks(np.zeros((len(genes), len(anchors)), np.float32), np.ones(len(genes), np.float32))
        for _ in _TIMES
    ]
    for start in range(0, len(genes), _BLOCK):
        rows = diffusion_kernel(graph, genes[start : start + _BLOCK], _TIMES)
        for time, walks in zip(_TIMES, found, strict=True):
            frame = rows[time]
            place, itself = genes.get_indexer(frame.index), frame.columns.get_indexer(frame.index)
            column = frame.columns.get_indexer(anchors)
            known = np.flatnonzero(column >= 0)
            values = frame.to_numpy()
            walks.kernel[np.ix_(place, known)] = values[:, column[known]]
            walks.own[place] = values[np.arange(len(values)), itself]
    return found


def _centred(frame: pd.DataFrame) -> pd.DataFrame:
    return (frame - frame.mean()).astype(np.float32)


def _rows(frame: pd.DataFrame, genes: pd.Index) -> Array:
    return frame.reindex(genes, fill_value=0.0).to_numpy()
