from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from ._joint import share_nodes
from ._knowledge_graph import KnowledgeGraph
from ._spectral import _normalised

FloatArray = npt.NDArray[np.floating]

# Genes diffused at a time, which bounds the memory besides the result.
_BLOCK = 256
_NEGLIGIBLE = 1e-9


def diffusion_profiles(
    graphs: KnowledgeGraph | Sequence[KnowledgeGraph],
    genes: Iterable[str],
    times: Sequence[float] = (3.0,),
) -> dict[float, pd.DataFrame]:
    r"""Say how much of a random walk's start at a gene reaches each node.

    .. math:: \phi_p = e^{-\frac{t}{2}(I - S)}\, e_p

    with the normalised adjacency S of :func:`spectral_embedding`. The inner product
    :math:`\langle \phi_p, \phi_q \rangle`, entry (p, q) of :math:`e^{-t(I - S)}`, is the diffusion
    kernel of the genes: it counts paths of all lengths, long ones the less.

    Parameters
    ----------
    graphs
        One knowledge graph or several; directions are ignored, and scales of weights too.
    genes
        Genes to start from.
    times
        Values of t: walks from one gene to another have t steps on average.

    Returns
    -------
    By time, those of the genes that a graph holds × nodes of the graphs.

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
    >>> profiles = diffusion_profiles(graph, ["JAK2", "STAT1", "IRF1", "unknown"])[3.0]
    >>> (profiles @ profiles.T).loc["JAK2"].astype(float).round(2).to_list()
    [0.28, 0.35, 0.23]
    """
    graphs = [graphs] if isinstance(graphs, KnowledgeGraph) else list(graphs)
    if not graphs:
        raise ValueError("diffusion_profiles takes at least one graph.")
    for time in times:
        if not 0 < time < np.inf:
            raise ValueError(f"times must be positive numbers, not {time}.")
    shared = share_nodes(graphs)
    nodes = shared[0].nodes
    matrix = (sum(_normalised(graph) for graph in shared) / len(shared)).astype(np.float32)
    chosen = pd.Index(dict.fromkeys(genes), dtype=object)
    chosen = chosen[chosen.isin(nodes)]
    start = nodes.get_indexer(chosen)
    profiles = np.zeros((len(times), len(chosen), len(nodes)), dtype=np.float32)
    for first in range(0, len(chosen), _BLOCK):
        block = start[first : first + _BLOCK]
        walk = np.zeros((len(nodes), len(block)), dtype=np.float32)
        walk[block, np.arange(len(block))] = 1
        for weights in _poisson(np.asarray(times) / 2):
            for profile, weight in zip(profiles, weights, strict=True):
                if weight > _NEGLIGIBLE:
                    profile[first : first + len(block)] += weight * walk.T
            walk = matrix @ walk
    index = chosen.rename("gene")
    return {t: pd.DataFrame(p, index, nodes) for t, p in zip(times, profiles, strict=True)}


def _poisson(rates: FloatArray) -> Iterator[FloatArray]:
    """Yield the probabilities of 0, 1, … steps until none of the rates has more to come."""
    weights, steps = np.exp(-rates), 0
    while steps <= rates.max() or weights.max() > _NEGLIGIBLE:
        yield weights
        steps += 1
        weights = weights * rates / steps
