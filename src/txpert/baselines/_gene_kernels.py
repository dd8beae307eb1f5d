from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from txpert.graph import KnowledgeGraph, diffusion_profiles

Array = npt.NDArray[np.floating]

_TIMES = (2.0, 4.0, 8.0, 16.0)
_BLOCK = 256
"""Genes compared at a time, which bounds the memory."""


class GeneKernels:
    r"""Says how alike genes are, by graphs and by features.

    For each graph and each time t there are two kernels: the diffusion kernel
    :math:`K_{pq} = \langle \phi_p, \phi_q \rangle` of :func:`txpert.graph.diffusion_profiles`, and
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
        self._graphs = [graph for graph in graphs if graph.n_edges]
        self._features = {name: _centred(frame) for name, frame in features.items()}
        self.anchors = anchors
        self.names = [
            f"{graph.name}, {form} {time:g}"
            for graph in self._graphs
            for time in _TIMES
            for form in ("walks of", "scaled walks of")
        ] + list(features)
        self._within: list[Array] | None = None

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
        column = self.anchors.get_indexer(right)
        row = self.anchors.get_indexer(left)
        if (row >= 0).all():
            if self._within is None:
                self._within = self._compare(self.anchors)
            return [kernel[np.ix_(row, column)] for kernel in self._within]
        return [kernel[:, column] for kernel in self._compare(left)]

    def _compare(self, genes: pd.Index) -> list[Array]:
        kernels = [k for graph in self._graphs for k in self._diffusion(graph, genes)]
        for frame in self._features.values():
            rows, columns = (_rows(frame, some) for some in (genes, self.anchors))
            kernels.append(rows @ columns.T)
        return kernels

    def _diffusion(self, graph: KnowledgeGraph, genes: pd.Index) -> list[Array]:
        """Return the plain and the scaled kernel of each time."""
        anchors = diffusion_profiles(graph, self.anchors, _TIMES)
        shape = (len(genes), len(self.anchors))
        kernels = [np.zeros(shape, dtype=np.float32) for _ in range(2 * len(_TIMES))]
        for block in [anchors] if genes is self.anchors else self._blocks(graph, genes):
            for i, time in enumerate(_TIMES):
                left, right = block[time], anchors[time]
                place = np.ix_(
                    genes.get_indexer(left.index), self.anchors.get_indexer(right.index)
                )
                plain = left.to_numpy() @ right.to_numpy().T
                length = [np.linalg.norm(profiles, axis=1) for profiles in (left, right)]
                kernels[2 * i][place] = plain
                kernels[2 * i + 1][place] = plain / np.outer(*length)
        return kernels

    @staticmethod
    def _blocks(graph: KnowledgeGraph, genes: pd.Index) -> Iterator[dict[float, pd.DataFrame]]:
        for start in range(0, len(genes), _BLOCK):
            yield diffusion_profiles(graph, genes[start : start + _BLOCK], _TIMES)


def _centred(frame: pd.DataFrame) -> pd.DataFrame:
    return (frame - frame.mean()).astype(np.float32)


def _rows(frame: pd.DataFrame, genes: pd.Index) -> Array:
    return frame.reindex(genes, fill_value=0.0).to_numpy()
