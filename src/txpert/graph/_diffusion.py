from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ive

from ._joint import share_nodes
from ._knowledge_graph import KnowledgeGraph
from ._spectral import _normalised

FloatArray = npt.NDArray[np.floating]

# Genes diffused at a time, which bounds the memory besides the result.
_BLOCK = 256
_NEGLIGIBLE = 1e-9


def diffusion_kernel(
    graphs: KnowledgeGraph | Sequence[KnowledgeGraph],
    genes: Iterable[str],
    times: Sequence[float] = (3.0,),
) -> dict[float, pd.DataFrame]:
    r"""Say how much of a random walk from a gene ends at each node.

    .. math:: K = e^{-t (I - S)}

    with the normalised adjacency S of :func:`spectral_embedding`: paths of all lengths count, long
    ones the less. Summed as Chebyshev polynomials of S, to nine decimals in exact arithmetic.

    Parameters
    ----------
    graphs
        One knowledge graph or several; directions are ignored, and scales of weights too.
    genes
        Genes to start from.
    times
        Values of t: walks have t steps on average.

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
    graphs = [graphs] if isinstance(graphs, KnowledgeGraph) else list(graphs)
    if not graphs:
        raise ValueError("diffusion_kernel takes at least one graph.")
    for time in times:
        if not 0 < time < np.inf:
            raise ValueError(f"times must be positive numbers, not {time}.")
    shared = share_nodes(graphs)
    nodes = shared[0].nodes
    matrix = (sum(_normalised(graph) for graph in shared) / len(shared)).astype(np.float32)
    chosen = pd.Index(dict.fromkeys(genes), dtype=object)
    chosen = chosen[chosen.isin(nodes)]
    start = nodes.get_indexer(chosen)
    coefficients = _chebyshev(np.asarray(times, dtype=float))
    rows = np.empty((len(times), len(chosen), len(nodes)), dtype=np.float32)
    for first in range(0, len(chosen), _BLOCK):
        block = start[first : first + _BLOCK]
        walk = np.zeros((len(nodes), len(block)), dtype=np.float32)
        walk[block, np.arange(len(block))] = 1
        before, ended = matrix @ walk, np.zeros((len(times), *walk.shape), dtype=np.float32)
        term = np.empty_like(walk)
        for weights in coefficients:
            for total, weight in zip(ended, weights, strict=True):
                if weight > _NEGLIGIBLE:
                    total += np.multiply(walk, np.float32(weight), out=term)
            further = matrix @ walk
            further *= 2
            further -= before
            before, walk = walk, further
        rows[:, first : first + len(block)] = ended.transpose(0, 2, 1)
    index = chosen.rename("gene")
    return {t: pd.DataFrame(row, index, nodes) for t, row in zip(times, rows, strict=True)}


def _chebyshev(times: FloatArray) -> FloatArray:
    """Return the coefficients of exp(t (x − 1)) in Chebyshev polynomials of x, terms × times."""
    order = np.arange(int(times.max()) + 40)[:, None]
    coefficients = ive(order, times) * np.where(order > 0, 2, 1)
    return coefficients[(coefficients > _NEGLIGIBLE).any(axis=1)]
