"""How similar genes are, by graphs and by features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from itertools import chain

import numpy as np
import pandas as pd

from txpert._accelerator import n_threads
from txpert._types import BoolArray, FloatArray
from txpert.graph import KnowledgeGraph

from ._kernel_sources import TIMES, Diffusion, Direct, Features

_WIDTH = 20
"""Diffusion takes so many of the strongest edges into each gene."""
_MOST_DIRECT = 2_000
"""Anchors up to which direct links have a kernel: it takes all of their eigenvalues."""
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
    - the same on these edges after refining (:meth:`txpert.graph.KnowledgeGraph.refine`), which
      tells wrong edges from right ones where these have neighbors in common. How far it does is
      learned like the variance of every kernel.

    A graph of more than 20 edges per gene that all weigh the same is only used refined, since
    nothing else tells which edges are strong. Features have their inner product after centering,
    relative to its mean diagonal among the anchors. A gene without edges or features is similar to
    itself only, by 1.

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
        given = [graph for graph in graphs if graph.n_edges]
        with ThreadPoolExecutor(n_threads()) as pool:
            self._graphs = list(pool.map(_weighted, given))
            walked = list(chain.from_iterable(pool.map(_walked, self._graphs)))
            self._diffusions = list(pool.map(lambda pair: Diffusion(pair[1], anchors), walked))
        self._walked = [name for name, _ in walked]
        self._tables = dict(features)
        self._compare_with(anchors)

    def _compare_with(self, anchors: pd.Index) -> None:
        """Make what depends on the anchors, which are among those of the diffusions."""
        self.anchors = anchors
        direct = len(anchors) <= _MOST_DIRECT
        self._direct = [Direct(graph, anchors) for graph in self._graphs] if direct else []
        self._features = [Features(frame, anchors) for frame in self._tables.values()]
        self.names = [
            *(f"{graph.name}, direct" for graph in self._graphs if direct),
            *(f"{name}, diffusion {time:g}" for name in self._walked for time in TIMES),
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
            + [of_time] * (len(TIMES) * len(self._diffusions))
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
        sources: list[Direct | Diffusion | Features] = [
            *self._direct,
            *self._diffusions,
            *self._features,
        ]
        for source in sources:
            some = found[first : first + source.number]
            source.compare(left, right, some)
            alone = np.flatnonzero(~source.knows(left) & (at >= 0))
            some[:, alone, at[alone]] = 1
            first += source.number
        return found

    @property
    def nodes(self) -> pd.Index:
        """Genes of the graphs and of the features."""
        held = [graph.nodes for graph in self._graphs]
        return pd.Index(sorted(set().union(*held, *(t.index for t in self._tables.values()))))

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
        for diffusion in self._diffusions:
            diffusion.expect(left)
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


def _walked(graph: KnowledgeGraph) -> list[tuple[str, KnowledgeGraph]]:
    """Return the strongest edges, and these refined unless they are already, with their names."""
    strongest = graph.top_k(_WIDTH)
    if "refine()" in graph.provenance:
        return [(graph.name, strongest)]
    refined = strongest.refine().top_k(_WIDTH)
    return [(graph.name, strongest), (f"{graph.name}, refined", refined)]
