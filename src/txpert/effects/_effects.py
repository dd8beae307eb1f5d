"""What baselines learn from: the effects of the training perturbations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import N_CELLS, PERTURBATION
from txpert._types import BoolArray, FloatArray, IntArray
from txpert.data import ConditionTable, canonical_label, parse_targets, weighted_group_means


def condition_table(pseudobulk: AnnData | ConditionTable) -> ConditionTable:
    """Return the table, read back from AnnData if it has to be."""
    if isinstance(pseudobulk, ConditionTable):
        return pseudobulk
    return ConditionTable.from_anndata(pseudobulk)


@dataclass(frozen=True)
class Effects:
    """Mean Δ of perturbations over their conditions, weighted by numbers of cells.

    Attributes
    ----------
    labels
        Perturbations written the one way, sorted.
    delta
        Their Δ, shape ``(n_perturbations, n_genes)``.
    n_cells
        Number of cells that each is averaged over.
    """

    labels: pd.Index
    delta: FloatArray
    n_cells: IntArray

    @classmethod
    def of(cls, rows: ConditionTable) -> Effects:
        """Average perturbed conditions over batches and cell lines."""
        code, labels = pd.factorize(
            rows.obs[PERTURBATION].astype(str).map(canonical_label), sort=True
        )
        cells = rows.obs[N_CELLS].to_numpy()
        delta = weighted_group_means(rows.delta, code, cells)
        return cls(pd.Index(labels), delta, np.bincount(code, cells).astype(np.int64))

    @cached_property
    def row(self) -> dict[str, int]:
        """Position of each perturbation."""
        return {label: i for i, label in enumerate(self.labels)}

    @cached_property
    def targets(self) -> list[tuple[str, ...]]:
        """Targets of each perturbation."""
        return [parse_targets(label) for label in self.labels]

    @cached_property
    def single(self) -> BoolArray:
        """Whether a perturbation has one target; all of them, if none has."""
        single = np.array([len(targets) == 1 for targets in self.targets])
        return single if single.any() else ~single

    @cached_property
    def mean(self) -> FloatArray:
        """Mean effect of all perturbations, combinations too."""
        return self.delta.mean(axis=0)

    @cached_property
    def mean_single(self) -> FloatArray:
        """Mean effect of the perturbations of one gene (of all, if there is none)."""
        return self.delta[self.single].mean(axis=0)

    def general(self, labels: Sequence[str]) -> FloatArray:
        """Return each label's own Δ, or the sum of its targets', of which new ones have the mean.

        Parameters
        ----------
        labels
            Perturbations in canonical spelling.
        """

        def effect(label: str) -> FloatArray:
            own = self.get(label)
            if own is not None:
                return own
            parts = [self.get(target) for target in parse_targets(label)]
            known = [self.mean_single if part is None else part for part in parts]
            return np.sum(known, axis=0) if known else np.zeros_like(self.mean_single)

        return np.stack([effect(label) for label in labels])

    def get(self, label: str) -> FloatArray | None:
        """Return the effect of a perturbation in canonical spelling, if it was trained on."""
        row = self.row.get(label)
        return None if row is None else self.delta[row]
