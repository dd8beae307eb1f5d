"""Mean effects of the training perturbations, and what follows from them for others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

from txpert._constants import N_CELLS, PERTURBATION
from txpert._types import BoolArray, FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._group_sums import filled_by_mean, weighted_group_means
from txpert.data._tokens import canonical_label, parse_targets

Unseen = Callable[[list[str]], FloatArray]


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
    def of(cls, rows: ConditionTable, elsewhere: FloatArray | None = None) -> Effects:
        """Average perturbed conditions over batches and cell lines.

        Where a gene was not measured for a perturbation, Δ is its mean over the others.

        Parameters
        ----------
        rows
            The conditions.
        elsewhere
            Δ of genes that none of them measured, ``(n_genes,)``; by default 0.
        """
        code, labels = pd.factorize(
            rows.obs[PERTURBATION].astype(str).map(canonical_label), sort=True
        )
        cells = rows.obs[N_CELLS].to_numpy()
        delta = weighted_group_means(rows.delta, code, cells)
        delta = filled_by_mean(delta, otherwise=0.0 if elsewhere is None else elsewhere)
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

    def general(
        self, labels: Sequence[str], unseen: Unseen | FloatArray | None = None
    ) -> FloatArray:
        """Return each perturbation's own Δ, or else the sum of its targets'.

        This is the one definition of "own effect, else the sum of its parts, else the mean".

        Parameters
        ----------
        labels
            Perturbations in canonical spelling.
        unseen
            Δ of each target that was not trained on alone, ``(n_genes,)``, or what returns that
            of all, ``(n_targets, n_genes)``; by default the mean effect of single genes.

        Returns
        -------
        Shape ``(n_labels, n_genes)``; 0 for a label without targets.
        """
        known = self.row
        parts = [(label,) if label in known else parse_targets(label) for label in labels]
        new = sorted({name for names in parts for name in names} - set(known))
        effects, place = self.delta, dict(known)
        if new:
            unseen = self.mean_single if unseen is None else unseen
            of_new = unseen(new) if callable(unseen) else unseen[None]
            effects = np.concatenate([effects, of_new])
            last = len(effects) - 1
            place |= {name: min(len(self.delta) + i, last) for i, name in enumerate(new)}
        column = np.array([place[name] for names in parts for name in names], dtype=np.int64)
        n_parts = np.array([len(names) for names in parts])
        if (n_parts == 1).all():
            return np.asarray(effects[column])
        row = np.repeat(np.arange(len(parts)), n_parts)
        entries = np.ones(len(row), dtype=effects.dtype), (row, column)
        return np.asarray(sparse.csr_array(entries, shape=(len(parts), len(effects))) @ effects)

    def get(self, label: str) -> FloatArray | None:
        """Return the effect of a perturbation in canonical spelling, if it was trained on."""
        row = self.row.get(label)
        return None if row is None else self.delta[row]
