from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from txpert._types import FloatArray
from txpert.data import ConditionTable
from txpert.graph import KnowledgeGraph, as_graphs, share_nodes, to_scipy

from ._base import AdditiveBaseline

# Tried in units of the median total weight of a perturbation's neighbours.
_SHRINKAGES = np.append(np.logspace(-3, 3, 49), np.inf)


class NeighboursBaseline(AdditiveBaseline):
    r"""Predicts unseen genes by the mean effect of their neighbours in training.

    .. math:: \hat\Delta_p = \frac{\kappa m + \sum_{q \to p} w_{qp} \Delta_q}
              {\kappa + \sum_{q \to p} w_{qp}},

    over the training perturbations q of one gene with an edge into p; m is the mean effect of all
    such perturbations, which a gene without neighbours gets. The weights :math:`w_{qp}` are the
    graph's, scaled to a maximum of 1 and averaged over several graphs. κ, how much weight the mean
    has, gives the least error when each training perturbation is predicted by the others, relative
    to the error of the mean:

    .. math:: \kappa = \arg\min \sum_q \frac{\lVert \Delta_q - \hat\Delta_q^{(-q)} \rVert^2}
              {\lVert \Delta_q - m^{(-q)} \rVert^2}.

    So each counts the same, and the choice does not hang on the strongest of them.

    What was trained on keeps its own Δ, and a combination else has the sum of its parts.

    Parameters
    ----------
    pseudobulk
        Table made by :func:`txpert.pp.pseudobulk`. With a split, only ``"train"`` is looked at.
    graphs
        One knowledge graph or several.
    k
        Only the neighbours in training of the k largest weights; ``None`` takes all.
    shrinkage
        κ; by default chosen as above, in :attr:`shrinkage_`. 0 is the plain weighted mean,
        infinity the mean effect.

    Raises
    ------
    KeyError
        If this is no pseudobulk table.
    ValueError
        If no perturbation is in training, no graph is given or holds any of its targets, or ``k``
        or the shrinkage is out of range.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> baseline = NeighboursBaseline(tx.pp.pseudobulk(adata), tx.datasets.toy_graph())
    >>> baseline.predict("GENE3", batch="batch_1").shape
    (1, 60)
    """

    def __init__(
        self,
        pseudobulk: AnnData | ConditionTable,
        graphs: KnowledgeGraph | Sequence[KnowledgeGraph],
        k: int | None = None,
        *,
        shrinkage: float | None = None,
    ) -> None:
        super().__init__(pseudobulk)
        if k is not None and k < 1:
            raise ValueError(f"k must be at least 1, not {k}.")
        if shrinkage is not None and not shrinkage >= 0:
            raise ValueError(f"shrinkage must be 0 or more, not {shrinkage}.")
        self._k = k
        self._adjacency, self._nodes = _mean_adjacency(graphs)
        single = np.array([len(targets) == 1 for targets in self._effects.targets])
        self._genes = self._effects.labels[single]
        self._delta_single = self._effects.delta[single].astype(np.float64)
        if not self._nodes.isin([t for label in self._effects.targets for t in label]).any():
            raise ValueError(
                f"The graphs hold none of the training targets, such as "
                f"{self._effects.targets[0][0]!r}. Both must use the same gene symbols."
            )
        self.shrinkage_ = self._chosen() if shrinkage is None else float(shrinkage)

    def _unseen(self, targets: list[str]) -> FloatArray:
        mean = self._effects.mean_single
        weights = self._incoming(targets)
        total = weights.sum(axis=1)
        share = np.divide(1, total + self.shrinkage_, where=total > 0, out=np.zeros_like(total))
        difference = weights @ (self._delta_single - mean)
        return (mean + share[:, None] * difference).astype(np.float32)

    def _chosen(self) -> float:
        """Return the shrinkage of least relative leave-one-out error."""
        delta, n = self._delta_single, len(self._genes)
        weights = self._incoming(list(self._genes))
        total = weights.sum(axis=1)
        some = total > 0
        if n < 3 or not some.any():
            return np.inf
        mean = (delta.sum(axis=0) - delta) / (n - 1)
        apart = (delta - mean)[some]
        pull = (weights @ delta - total[:, None] * mean)[some]
        tried = np.median(total[some]) * _SHRINKAGES
        share = 1 / (total[some] + tried[:, None])
        length = np.maximum((apart**2).sum(axis=1), np.finfo(float).tiny)
        along = (apart * pull).sum(axis=1) / length
        error = share**2 @ ((pull**2).sum(axis=1) / length) - 2 * share @ along
        return float(tried[error.argmin()])

    def _incoming(self, targets: list[str]) -> sparse.csr_array:
        """Return the weights of edges into targets, shape ``(n_targets, n_genes_trained_on)``."""
        into = self._nodes.get_indexer(pd.Index(targets))
        source = self._nodes.get_indexer(self._genes)
        row, column = np.flatnonzero(into >= 0), np.flatnonzero(source >= 0)
        held = self._adjacency[source[column]][:, into[row]].T.tocoo()
        weight, row, column = held.data, row[held.row], column[held.col]
        if self._k is not None:
            order = np.lexsort((column, -weight, row))
            rank = np.arange(len(order)) - np.searchsorted(row[order], row[order])
            kept = order[rank < self._k]
            weight, row, column = weight[kept], row[kept], column[kept]
        shape = (len(targets), len(self._genes))
        return sparse.csr_array((weight, (row, column)), shape=shape)


def _mean_adjacency(
    graphs: KnowledgeGraph | Sequence[KnowledgeGraph],
) -> tuple[sparse.csr_array, pd.Index]:
    """Scale each graph's weights to a maximum of 1 and average them; sources are in rows."""
    graphs = as_graphs(graphs)
    if not graphs:
        raise ValueError("NeighboursBaseline takes at least one graph.")
    shared = share_nodes(graphs)
    scaled = [to_scipy(g).astype(np.float64) / max(g.weight.max(initial=0), 1e-12) for g in shared]
    return sparse.csr_array(sum(scaled) / len(scaled)), shared[0].nodes
