"""Diffusion on graphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from txpert._heat_polynomial import HeatPolynomial
from txpert._types import FloatArray, IntArray

from ._joint import share_nodes
from ._knowledge_graph import Graphs, KnowledgeGraph, as_graphs
from ._spectral import _normalized

_BLOCK = 64
"""Genes diffused at a time, which bounds the memory in addition to the result."""
_NEGLIGIBLE = 1e-9


class Diffusion:
    """Diffusion on graphs, as in :func:`diffusion_kernel`, prepared once for many genes.

    Attributes
    ----------
    nodes
        Nodes of any of the graphs, sorted.
    """

    def __init__(self, graphs: Sequence[KnowledgeGraph], times: Sequence[float]) -> None:
        shared = share_nodes(graphs)
        self.nodes = shared[0].nodes
        mean = sum(_normalized(graph) for graph in shared) / len(shared)
        self._polynomial = HeatPolynomial(sparse.csr_array(mean), times, _NEGLIGIBLE)

    def blocks(self, start: IntArray) -> Iterator[tuple[slice, FloatArray]]:
        """Diffuse from some of the nodes at a time.

        Parameters
        ----------
        start
            Positions of nodes.

        Yields
        ------
        Which of them, and where the diffusion ends, ``(n_times, n_nodes, n_starts)``.
        """
        for first in range(0, len(start), _BLOCK):
            block = slice(first, first + _BLOCK)
            yield block, self._polynomial.columns(start[block])


def diffusion_kernel(
    graphs: Graphs,
    genes: Iterable[str],
    times: Sequence[float] = (3.0,),
) -> dict[float, pd.DataFrame]:
    r"""Compute the diffusion (heat) kernel from genes to all nodes.

    .. math:: K = e^{-t (I - S)}

    with the normalized adjacency S of :func:`spectral_embedding`: paths of all lengths count, long
    ones less. Summed as Chebyshev polynomials of S, to nine decimals in exact arithmetic.

    Parameters
    ----------
    graphs
        One knowledge graph or several; directions are ignored, and scales of weights too.
    genes
        Genes to start from.
    times
        Values of t, the diffusion times: the mean number of steps of a random walk.

    Returns
    -------
    By time, rows of K: those of the genes that a graph holds × nodes of the graphs.

    Raises
    ------
    ValueError
        If there are no graphs or a time is not positive.

    References
    ----------
    Smola and Kondor (2003), Kernels and regularization on graphs, COLT,
    doi 10.1007/978-3-540-45167-9_12.

    Examples
    --------
    >>> edges = pd.DataFrame({"source": ["JAK2", "STAT1"], "target": ["STAT1", "IRF1"]})
    >>> graph = KnowledgeGraph.from_edges(edges, name="mine")
    >>> kernel = diffusion_kernel(graph, ["JAK2", "STAT1", "IRF1", "unknown"])[3.0]
    >>> kernel.loc["JAK2", ["JAK2", "STAT1", "IRF1"]].astype(float).round(2).to_list()
    [0.28, 0.35, 0.23]
    """
    given = as_graphs(graphs)
    if not given:
        raise ValueError("diffusion_kernel takes at least one graph.")
    for time in times:
        if not 0 < time < np.inf:
            raise ValueError(f"times must be positive numbers, not {time}.")
    diffusion = Diffusion(given, times)
    nodes = diffusion.nodes
    chosen = pd.Index(dict.fromkeys(genes), dtype=object)
    chosen = chosen[chosen.isin(nodes)]
    rows = np.empty((len(times), len(chosen), len(nodes)), dtype=np.float32)
    for block, ended in diffusion.blocks(nodes.get_indexer(chosen)):
        rows[:, block] = ended.transpose(0, 2, 1)
    index = chosen.rename("gene")
    return {t: pd.DataFrame(row, index, nodes) for t, row in zip(times, rows, strict=True)}
