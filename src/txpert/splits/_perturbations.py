from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import (
    CELL_LINE,
    CONTROL,
    PERTURBATION,
    SPLIT,
    TEST,
    TRAIN,
    UNS_KEY,
    VALIDATION,
)
from txpert._types import IntArray
from txpert.data import Screen, resolve_key

from ._strata import Stratify, stratum_values
from ._tasks import split_hash


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
    def read(
        cls, adata: AnnData, perturbation_key: str, control_key: str, cell_line_key: str | None
    ) -> Perturbations:
        """Read and check the annotation of the cells."""
        if adata.is_view:
            raise ValueError("adata is a view; make a copy first: adata = adata.copy()")
        if not isinstance(adata.obs, pd.DataFrame):
            raise ValueError(
                "adata.obs is lazy and takes no new columns. Bring the annotation (not the "
                "expression) into memory first: adata.obs = adata.obs.to_memory()"
            )
        keys = {PERTURBATION: perturbation_key, CONTROL: control_key, CELL_LINE: cell_line_key}
        resolved = {
            name: resolve_key(name, key, adata.obs, "adata.obs") for name, key in keys.items()
        }
        columns = {name: adata.obs[key] for name, key in resolved.items() if key is not None}
        screen = Screen.from_columns(adata.X, adata.var_names, columns)
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

    def cell_line(self, asked: str | None) -> str:
        """Return the test line asked for; one must be."""
        if asked is None:
            raise ValueError(
                "The task 'unseen_cell_line' needs test_cell_line, one of: "
                f"{', '.join(sorted(set(self.frame[CELL_LINE])))}."
            )
        return asked

    def values(self, stratify: Stratify | None, record: dict[str, Any]) -> dict[str, float] | None:
        """Return the numbers to stratify by, and note in the record what they are."""
        if stratify is None:
            return None
        record["stratify"] = stratify if isinstance(stratify, str) else "series"
        return stratum_values(self.screen, stratify)

    def write(
        self,
        adata: AnnData,
        parts: Sequence[str | None],
        groups: Callable[[pd.DataFrame], list[str | None]],
        record: dict[str, Any],
        key_added: str,
    ) -> None:
        """Write split, groups and record."""
        frame = self.frame.assign(**{SPLIT: pd.Series(list(parts), dtype=object)})
        group = groups(frame)
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
