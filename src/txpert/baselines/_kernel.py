"""A Gaussian process over genes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
from anndata import AnnData

from txpert._types import FloatArray
from txpert.data import ConditionTable
from txpert.effects._effects import Effects
from txpert.effects._gene_kernels import GeneKernels, check_tables
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._measured_effects import MeasuredEffects
from txpert.graph import KnowledgeGraph
from txpert.graph._names import other_names
from txpert.graph._several import as_graphs, named_for

from ._base import SumOfPartsBaseline
from ._registry import register_baseline


@register_baseline("kernel", needs="graphs")
class KernelBaseline(SumOfPartsBaseline):
    """Gaussian process over graphs and features for genes that were not perturbed in training.

    It reaches over several edges, accounts for strong and weak, near and far and redundant
    neighbors, and learns which graph explains the effects: see
    ``GeneGaussianProcess``.

    What was trained on keeps its own Δ, and a combination else has the sum of its parts.

    Parameters
    ----------
    data
        What to fit to at once, as by :meth:`fit`.
    graphs
        One knowledge graph or several, or none; directions are ignored.
    features
        Tables of genes × features, by name.

    Attributes
    ----------
    process_
        What was fitted; ``process_.variances`` holds its variance components.

    Raises
    ------
    ValueError
        If no graph and no features hold any training target.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> baseline = KernelBaseline(graphs=tx.datasets.toy_graph()).fit(adata)
    >>> baseline.predict("GENE3", batch="batch_1").shape
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

    def _learn(self, effects: Effects, table: ConditionTable) -> None:
        targets = pd.Index(sorted({t for label in effects.targets for t in label}))
        graphs, _ = named_for(self.graphs, list(targets))
        kernels = GeneKernels(graphs, self.features or {}, targets)
        if not kernels.knows(targets).any():
            raise ValueError(
                f"The graphs and features hold none of the {len(targets)} training targets, such "
                f"as {', '.join(targets[:3])}. Both must use the same gene symbols."
            )
        measured = MeasuredEffects.of(
            effects.targets, effects.delta, n_cells=effects.n_cells.tolist()
        )
        self.process_ = GeneGaussianProcess.fit(measured, kernels)
        self._effects, self._kernels = effects, kernels

    def _further_genes(self) -> Iterable[str]:
        return self._kernels.nodes

    def _unseen(self, targets: list[str]) -> FloatArray:
        names = other_names(self._kernels.nodes, targets)
        asked = [(names.get(target, target),) for target in targets]
        mean = self.process_.predict(asked, self._kernels).mean
        assert mean is not None
        return mean
