"""A predictor of each cell line fitted to that line alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import CELL_LINE, PERTURBATION
from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._controls import ControlProfiles
from txpert.effects._gene_kernels import check_tables
from txpert.graph import KnowledgeGraph
from txpert.graph._several import as_graphs

from ._base import Baseline
from ._general import GeneralBaseline
from ._kernel import KernelBaseline
from ._lines import measured_in_lines
from ._registry import register_baseline
from ._ridge import RidgeBaseline

_ENOUGH = 3
"""Training perturbations from which a model of genes is fitted to a line."""


@register_baseline("line_alone")
class LineAloneBaseline(Baseline):
    """Gaussian process (without graphs: ridge regression) on the cell line's own perturbations.

    What the other lines add is what a model of several lines must show. A line with fewer than
    three training perturbations, or none that graphs and features hold, has its general baseline;
    one without any has the general baseline over all lines, and so has a gene that the line did
    not measure.

    Parameters
    ----------
    data
        What to fit to at once, as by :meth:`fit`.
    graphs
        Knowledge graphs, as in :class:`KernelBaseline`; without them it is
        :class:`RidgeBaseline` of the genes' training expression.
    features
        Tables of genes × features, by name, for :class:`KernelBaseline`.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> adata.obs["cell_line"] = adata.obs["batch"].map({"batch_1": "K562", "batch_2": "RPE1"})
    >>> baseline = tx.baselines.LineAloneBaseline(graphs=tx.datasets.toy_graph()).fit(adata)
    >>> baseline.predict("GENE3", cell_line="K562").shape
    (1, 60)
    """

    def __init__(
        self,
        data: AnnData | ConditionTable | None = None,
        graphs: KnowledgeGraph | Sequence[KnowledgeGraph] = (),
        features: Mapping[str, pd.DataFrame] | None = None,
    ) -> None:
        self.graphs = as_graphs(graphs)
        self.features = check_tables(features)
        super().__init__(data)

    def _fit(self, table: ConditionTable) -> None:
        rows = table.training()
        lines = rows.obs[CELL_LINE].astype(str).to_numpy()
        self._lines = {str(line): self._alone(rows.subset(lines == line)) for line in set(lines)}
        self._all = GeneralBaseline(rows)
        self._measured = measured_in_lines(rows)

    def _alone(self, rows: ConditionTable) -> Baseline:
        general = GeneralBaseline(rows)
        if rows.obs[PERTURBATION].nunique() < _ENOUGH:
            return general
        try:
            if self.graphs or self.features:
                return KernelBaseline(rows, self.graphs, self.features)
            return RidgeBaseline(rows)
        except ValueError:
            # Graphs, features or the genes measured hold none of the line's few targets.
            return general

    def _delta(
        self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        delta = np.empty((len(obs), len(profiles.genes)), dtype=np.float32)
        for line, rows in obs.groupby(CELL_LINE).indices.items():
            here = obs.iloc[rows], profiles, context[rows]
            found = self._lines.get(str(line), self._all)._delta(*here)
            measured = self._measured.get(str(line))
            if measured is not None and not measured.all():
                found = np.where(measured, found, self._all._delta(*here))
            delta[rows] = found
        return delta

    def _further_genes(self) -> Iterable[str]:
        return {gene for alone in self._lines.values() for gene in alone._further_genes()}
