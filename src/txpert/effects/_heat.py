"""The heat kernel of a graph between its genes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from txpert._computed import computed
from txpert._fingerprint import fingerprint
from txpert._heat_polynomial import HeatPolynomial
from txpert._types import FloatArray
from txpert.graph import KnowledgeGraph
from txpert.graph._adjacency import normalized, symmetrized

_NEGLIGIBLE = 1e-7
_PROBES = 256
_EXACT = 2_000
"""Most nodes whose diagonal is exact, which takes up to 0.3 s of a core."""
_AT_ONCE = 64
"""Probes at a time, which bounds the memory in addition to the result."""
_STORED = 1_000_000, 25_000_000
"""Fewest and most entries of a result that is kept on disk: 4 and 100 MB."""


class HeatKernel:
    r"""Diffusion on a graph.

    .. math:: K_t = e^{-t (I - S)}

    with the adjacency S between its genes that have an edge, symmetrized and divided by the roots
    of both degrees, to a relative error of 1e-6 (:class:`txpert._heat_polynomial.HeatPolynomial`).

    Parameters
    ----------
    graph
        Its directions are ignored.
    times
        Values of t.

    Attributes
    ----------
    nodes
        Genes that have an edge.
    """

    def __init__(self, graph: KnowledgeGraph, times: Sequence[float]) -> None:
        adjacency, degree = symmetrized(graph)
        connected = np.flatnonzero(degree > 0)
        among = sparse.csr_array(adjacency[connected][:, connected])
        self._adjacency = normalized(among, 1 / np.sqrt(degree[connected]))
        self.nodes: pd.Index = graph.nodes[connected]
        self.times = np.asarray(times, dtype=float)
        self._polynomial = HeatPolynomial(self._adjacency, self.times, _NEGLIGIBLE)
        matrix = self._adjacency
        self._key = fingerprint(matrix.indptr, matrix.indices, matrix.data, self.times)

    def columns(
        self, genes: npt.NDArray[np.integer], rows: npt.NDArray[np.integer] | None = None
    ) -> FloatArray:
        """Return columns of :math:`K_t`, ``(n_times, n_rows, n_genes)``, all rows by default."""
        return self._polynomial.columns(genes, rows)

    def stored_columns(
        self, genes: npt.NDArray[np.integer], rows: npt.NDArray[np.integer] | None = None
    ) -> FloatArray:
        """Return columns like :meth:`columns`, from disk if they were computed before."""
        n_rows, (least, most) = len(self.nodes if rows is None else rows), _STORED
        if not least <= len(self.times) * n_rows * len(genes) <= most:
            return self.columns(genes, rows)
        key = fingerprint(self._key, genes, *([] if rows is None else [rows]))
        return computed("heat", key, lambda: {"columns": self.columns(genes, rows)})["columns"]

    def diagonal(self) -> FloatArray:
        r"""Return the diagonals of :math:`K_t`, ``(n_times, n_nodes)``, estimated in large graphs.

        :math:`K_{pp} = \lVert K_{t/2} e_p \rVert^2`, over all nodes of a graph of up to 2,000. In
        a larger one it is the mean square of :math:`K_{t/2} z` over 256 vectors z of random signs,
        always the same ones, with a standard deviation of at most :math:`\sqrt{2 / 256}`, 9%; that
        of the root by which kernels are divided is half of it. Any positive divisor leaves a
        kernel positive definite.
        """
        if len(self.nodes) * _PROBES < _STORED[0]:
            return self._diagonal()
        key = fingerprint(self._key, _PROBES)
        return computed("diagonal", key, lambda: {"diagonal": self._diagonal()})["diagonal"]

    def _diagonal(self) -> FloatArray:
        halves = HeatPolynomial(self._adjacency, self.times / 2, _NEGLIGIBLE)
        if len(self.nodes) <= _EXACT:
            exact = np.empty((len(self.times), len(self.nodes)), dtype=np.float32)
            ones = np.eye(len(self.nodes), dtype=np.float32)
            for first in range(0, len(self.nodes), _AT_ONCE):
                some = slice(first, first + _AT_ONCE)
                exact[:, some] = (halves.apply(ones[:, some]) ** 2).sum(axis=1)
            return exact
        rng = np.random.default_rng(0)
        total = np.zeros((len(self.times), len(self.nodes)), dtype=np.float32)
        for _ in range(0, _PROBES, _AT_ONCE):
            signs = rng.choice(np.array([-1, 1], dtype=np.float32), (len(self.nodes), _AT_ONCE))
            total += (halves.apply(signs) ** 2).sum(axis=2)
        return total / np.float32(_PROBES)
