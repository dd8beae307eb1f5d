"""The perturbations of each cell line of a screen, and how a split of them is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import (
    CELL_LINE,
    PERTURBATION,
    SPLIT,
    TEST,
    TRAIN,
    UNS_KEY,
    VALIDATION,
)
from txpert._types import IntArray
from txpert.data import ObsKeys
from txpert.data._screen import Screen

from ._cells import by_gene
from ._hash import split_hash
from ._strata import Stratify, stratum_values
from ._task import Task


def record_key(split_key: str) -> str:
    """Return the key in ``uns`` that describes a split column."""
    return f"{UNS_KEY}_{split_key}"


def group_key(split_key: str) -> str:
    """Return the obs column with the groups of a split column."""
    return f"{split_key}_group"


@dataclass(frozen=True)
class Perturbations:
    """Perturbations of each cell line, and which of them each cell belongs to (-1: control)."""

    screen: Screen
    frame: pd.DataFrame
    of_cell: IntArray

    @classmethod
    def read(cls, adata: AnnData, keys: ObsKeys) -> Perturbations:
        """Read and check the annotation of the cells."""
        if adata.is_view:
            raise ValueError("adata is a view; make a copy first: adata = adata.copy()")
        if not isinstance(adata.obs, pd.DataFrame):
            raise ValueError(
                "adata.obs is lazy and takes no new columns. Bring the annotation (not the "
                "expression) into memory first: adata.obs = adata.obs.to_memory()"
            )
        columns = keys.columns(adata.obs)
        screen = Screen.from_columns(adata.X, adata.var_names, columns, adata.var)
        labels = screen.perturbation.categories
        code = screen.cell_line.codes.astype(np.int64) * len(labels) + screen.perturbation.codes
        found, of_cell = np.unique(code[~screen.control], return_inverse=True)
        line, label = np.divmod(found, len(labels))
        frame = pd.DataFrame(
            {CELL_LINE: screen.cell_line.categories[line], PERTURBATION: labels[label]},
            dtype=object,
        )
        positions = np.full(adata.n_obs, -1, dtype=np.int64)
        positions[~screen.control] = of_cell
        return cls(screen, frame, positions)

    @property
    def by_gene(self) -> pd.DataFrame:
        """The frame with each perturbation as the genes that its label seems to stand for.

        Guides, spellings and combinations of one gene must not be on both sides of a split.
        """
        return by_gene(self.frame, self.screen.genes)

    def values(self, stratify: Stratify | None, record: dict[str, Any]) -> dict[str, float] | None:
        """Return the numbers to stratify by, and note in the record what they are."""
        if stratify is None:
            return None
        record["stratify"] = stratify if isinstance(stratify, str) else "series"
        values = pd.Series(stratum_values(self.screen, stratify), dtype=float)
        read = self.by_gene[PERTURBATION].set_axis(self.frame[PERTURBATION])
        of_genes = values.groupby(
            values.index.map(read[~read.index.duplicated()].to_dict())
        ).mean()
        return {str(label): float(value) for label, value in of_genes.items()}

    def write(
        self,
        adata: AnnData,
        parts: Sequence[str | None],
        task: Task,
        record: dict[str, Any],
        key_added: str,
    ) -> None:
        """Write split, groups and record."""
        frame = self.frame.assign(**{SPLIT: pd.Series(list(parts), dtype=object)})
        group = task.groups(by_gene(frame, self.screen.genes))
        names = sorted({name for name in group if name is not None})
        adata.obs[key_added] = self._of_cells(parts, [TRAIN, VALIDATION, TEST])
        adata.obs[group_key(key_added)] = self._of_cells(group, names)
        for part in (TRAIN, VALIDATION, TEST):
            record[f"n_{part}"] = int((frame[SPLIT] == part).sum())
        adata.uns[record_key(key_added)] = record | {"sha256": split_hash(frame)}

    def _of_cells(self, values: Sequence[str | None], names: list[str]) -> pd.Categorical:
        of_condition = pd.Categorical(list(values), categories=names)
        codes = np.append(of_condition.codes, -1)
        return pd.Categorical.from_codes(codes[self.of_cell], dtype=of_condition.dtype)
