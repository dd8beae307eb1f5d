from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._types import FloatArray
from txpert.data import ConditionTable
from txpert.effects import GeneKernels, GeneProcess
from txpert.graph import KnowledgeGraph, as_graphs

from ._base import AdditiveBaseline


class KernelBaseline(AdditiveBaseline):
    """Predicts unseen genes by a Gaussian process over graphs and features.

    It reaches over several edges, weighs strong against weak, near against far and redundant
    neighbours, and finds out which graph to trust: see :class:`GeneProcess`.

    What was trained on keeps its own Δ, and a combination else has the sum of its parts.

    Parameters
    ----------
    pseudobulk
        Table made by :func:`txpert.pp.pseudobulk`. With a split, only ``"train"`` is looked at.
    graphs
        One knowledge graph or several, or none; directions are ignored.
    features
        Tables of genes × features, by name.

    Attributes
    ----------
    process_
        What was fitted; ``process_.variances`` tells the kernels' parts.

    Raises
    ------
    KeyError
        If this is no pseudobulk table.
    ValueError
        If no perturbation is in training, or no graph and no features hold any of its targets.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> baseline = KernelBaseline(tx.pp.pseudobulk(adata), tx.datasets.toy_graph())
    >>> baseline.predict("GENE3", batch="batch_1").shape
    (1, 60)
    """

    def __init__(
        self,
        pseudobulk: AnnData | ConditionTable,
        graphs: KnowledgeGraph | Sequence[KnowledgeGraph],
        features: Mapping[str, pd.DataFrame] | None = None,
    ) -> None:
        super().__init__(pseudobulk)
        given = as_graphs(graphs)
        targets = pd.Index(sorted({t for label in self._effects.targets for t in label}))
        self._kernels = GeneKernels(given, features or {}, targets)
        if not any(np.any(kernel) for kernel in self._kernels.between(targets, targets)):
            raise ValueError(
                f"The graphs and features hold none of the {len(targets)} training targets, such "
                f"as {', '.join(targets[:3])}. Both must use the same gene symbols."
            )
        self.process_ = GeneProcess.fit(self._effects, self._kernels)

    def _unseen(self, targets: list[str]) -> FloatArray:
        return self.process_.effects(pd.Index(targets, dtype=object), self._kernels)
