"""The mean effect of the neighbors on graphs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from txpert._options import check_number, check_whole
from txpert._types import FloatArray
from txpert.data import ConditionTable
from txpert.effects._effects import Effects
from txpert.graph import KnowledgeGraph, to_scipy
from txpert.graph._names import other_names
from txpert.graph._several import as_graphs, named_for, share_nodes

from ._base import SumOfPartsBaseline
from ._registry import register_baseline

# Tried in units of the median total weight of a perturbation's neighbors.
_SHRINKAGES = np.append(np.logspace(-3, 3, 49), np.inf)


@register_baseline("neighbors", needs="graphs")
class NeighborsBaseline(SumOfPartsBaseline):
    r"""Weighted mean effect of a gene's neighbors in training, shrunk towards the mean effect.

    .. math:: \hat\Delta_p = \frac{\kappa m + \sum_{q \to p} w_{qp} \Delta_q}
              {\kappa + \sum_{q \to p} w_{qp}},

    over the training perturbations q of one gene with an edge into p; m is the mean effect of all
    such perturbations, which a gene without neighbors gets. The weights :math:`w_{qp}` are the
    graph's, scaled to a maximum of 1 and averaged over several graphs. κ, how much weight the mean
    has, gives the least error when each training perturbation is predicted by the others, relative
    to the error of the mean:

    .. math:: \kappa = \arg\min \sum_q \frac{\lVert \Delta_q - \hat\Delta_q^{(-q)} \rVert^2}
              {\lVert \Delta_q - m^{(-q)} \rVert^2}.

    So each counts the same, and the strongest of them do not decide the choice.

    What was trained on keeps its own Δ, and a combination else has the sum of its parts.

    Parameters
    ----------
    data
        What to fit to at once, as by :meth:`fit`.
    graphs
        One knowledge graph or several.
    k
        Only the neighbors in training of the k largest weights; ``None`` takes all.
    shrinkage
        κ; by default chosen as above, in :attr:`shrinkage_`. 0 is the plain weighted mean,
        infinity the mean effect.

    Raises
    ------
    ValueError
        If no graph is given or holds any training target, or ``k`` or the shrinkage is out of
        range.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> baseline = NeighborsBaseline(graphs=tx.datasets.toy_graph()).fit(adata)
    >>> baseline.predict("GENE3", batch="batch_1").shape
    (1, 60)
    """

    def __init__(
        self,
        data: AnnData | ConditionTable | None = None,
        graphs: KnowledgeGraph | Sequence[KnowledgeGraph] = (),
        k: int | None = None,
        *,
        shrinkage: float | None = None,
    ) -> None:
        check_whole("k", k, least=1, optional=True)
        check_number("shrinkage", shrinkage, least=0, finite=False, optional=True)
        self.graphs = as_graphs(graphs)
        self.k, self.shrinkage = k, shrinkage
        super().__init__(data)

    def _learn(self, effects: Effects, table: ConditionTable) -> None:
        targets = {t for label in effects.targets for t in label}
        adjacency, nodes = _mean_adjacency(named_for(self.graphs, targets)[0])
        if not nodes.isin(targets).any():
            raise ValueError(
                f"The graphs hold none of the training targets, such as "
                f"{effects.targets[0][0]!r}. Both must use the same gene symbols."
            )
        self._effects, self._adjacency, self._nodes = effects, adjacency, nodes
        single = np.array([len(targets) == 1 for targets in effects.targets])
        self._genes = effects.labels[single]
        self._delta_single = effects.delta[single].astype(np.float64)
        self.shrinkage_ = self._chosen() if self.shrinkage is None else float(self.shrinkage)

    def _further_genes(self) -> Iterable[str]:
        return self._nodes

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
        names = other_names(self._nodes, targets)
        into = self._nodes.get_indexer(pd.Index([names.get(t, t) for t in targets]))
        source = self._nodes.get_indexer(self._genes)
        row, column = np.flatnonzero(into >= 0), np.flatnonzero(source >= 0)
        held = self._adjacency[source[column]][:, into[row]].T.tocoo()
        weight, row, column = held.data, row[held.row], column[held.col]
        if self.k is not None:
            order = np.lexsort((column, -weight, row))
            rank = np.arange(len(order)) - np.searchsorted(row[order], row[order])
            kept = order[rank < self.k]
            weight, row, column = weight[kept], row[kept], column[kept]
        shape = (len(targets), len(self._genes))
        return sparse.csr_array((weight, (row, column)), shape=shape)


def _mean_adjacency(graphs: Sequence[KnowledgeGraph]) -> tuple[sparse.csr_array, pd.Index]:
    """Scale each graph's weights to a maximum of 1 and average them; sources are in rows."""
    if not graphs:
        raise ValueError("NeighborsBaseline takes at least one graph: graphs=[...].")
    shared = share_nodes(graphs)
    scaled = [to_scipy(g).astype(np.float64) / max(g.weight.max(initial=0), 1e-12) for g in shared]
    return sparse.csr_array(sum(scaled) / len(scaled)), shared[0].nodes
