"""How a published screen names its columns and labels, and the obs columns made of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from txpert._constants import BATCH, CELL_LINE, COMBINATION, CONTROL, MODALITY, PERTURBATION
from txpert._types import BoolArray
from txpert.data._tokens import canonical_label, is_missing_text

PUBLISHED_LABEL = "published_label"
"""obs column that keeps the label as published."""
_MODALITIES = {
    "CRISPRi": "CRISPRi",
    "CRISPRa": "CRISPRa",
    "CRISPR": "knockout",
    "CRISPR-cas9": "knockout",
}
"""scPerturb's ``perturbation_type`` in the words of this package; others stay as they are."""


@dataclass(frozen=True)
class Layout:
    """Columns and labels of a published file.

    Parameters
    ----------
    perturbation
        obs column of what was done to each cell.
    controls
        Labels of unperturbed cells.
    batches
        obs columns of which the first that exists is the batch.
    separator
        What joins the genes of a combination, in labels of which the column ``nperts``, if there
        is one, says that they name several. Empty: no combinations.
    ending
        Regular expression of the end of a label that is no part of the gene: guide or plasmid.
    left_out
        Labels of cells that are left out, as those without a label are.
    cell_line
        The cell line; empty where a column says so.
    cell_lines
        obs columns of which the first that exists says so.
    modality
        The kind of perturbation; empty where the column ``perturbation_type`` says so.
    counts
        Whether ``X`` holds raw counts; else it is log-normalized.
    needed
        obs columns that must exist, besides that of perturbations.
    """

    perturbation: str = "perturbation"
    controls: tuple[str, ...] = ("control",)
    batches: tuple[str, ...] = ("batch", "gem_group", "gemgroup")
    separator: str = ""
    ending: str = ""
    left_out: tuple[str, ...] = ()
    cell_line: str = ""
    cell_lines: tuple[str, ...] = ("cell_line", "celltype")
    modality: str = ""
    counts: bool = True
    needed: tuple[str, ...] = ()

    def obs(self, published: pd.DataFrame, where: str) -> tuple[pd.DataFrame, BoolArray]:
        """Make the columns perturbation, control, batch, cell_line and modality.

        Parameters
        ----------
        published
            Annotation of the cells as published.
        where
            How messages call the file.

        Returns
        -------
        Annotation of the cells that have a label, the other published columns included, and which
        cells these are, ``(n_cells,)``.

        Raises
        ------
        KeyError
            If there is no column of perturbations, or another that is needed.
        ValueError
            If no cell has a label, or none is a control.
        """
        for name in (self.perturbation, *self.needed):
            if name not in published:
                raise KeyError(
                    f"{where} has no obs column {name!r}: it is another file, or its columns are "
                    f"called otherwise. It has: {', '.join(map(str, published.columns))}."
                )
        labels = pd.Categorical(published[self.perturbation].astype(object))
        labels = labels.rename_categories(str)
        named = [not is_missing_text(text) for text in labels.categories]
        wanted = np.asarray(named, dtype=bool) & ~labels.categories.isin(self.left_out)
        # The code of a missing label, -1, takes the last of these.
        kept = np.append(wanted, False)[labels.codes]
        if not kept.any():
            raise ValueError(f"{where} has no cell with a label in {self.perturbation!r}.")
        table = published.loc[kept].copy()
        table[PUBLISHED_LABEL] = labels[kept]
        table[PERTURBATION] = pd.Categorical(self._labels(table))
        table[CONTROL] = np.asarray(table[PERTURBATION] == CONTROL)
        if not table[PUBLISHED_LABEL].isin(self.controls).any():
            raise ValueError(
                f"{where} has no control cells: {self.perturbation!r} is nowhere "
                f"{' or '.join(map(repr, self.controls))}."
            )
        for name, column in self._context(table).items():
            table[name] = pd.Categorical(column.astype(str))
        return _contract_first(table), kept

    def _labels(self, table: pd.DataFrame) -> pd.Series[Any]:
        """Return the label of each cell: genes joined by ``"+"``, or ``"control"``."""
        several = pd.Series(bool(self.separator), table.index)
        if self.separator and "nperts" in table:
            several = pd.to_numeric(table["nperts"].astype(str), errors="coerce") > 1
        pairs = pd.DataFrame({"label": table[PUBLISHED_LABEL].astype(str), "several": several})
        new = {
            (label, flag): self._label(label, flag)
            for label, flag in pairs.drop_duplicates().itertuples(index=False)
        }
        return pd.Series([new[pair] for pair in pairs.itertuples(index=False)], table.index)

    def _label(self, label: str, several: bool) -> str:
        if label in self.controls:
            return CONTROL
        name = re.sub(f"(?:{self.ending})$", "", label) if self.ending else label
        return canonical_label(name.replace(self.separator, COMBINATION) if several else name)

    def _context(self, table: pd.DataFrame) -> dict[str, pd.Series[Any]]:
        """Return batch, cell line and modality of each cell, as far as they are known."""
        found: dict[str, pd.Series[Any]] = {}
        batches = [name for name in self.batches if name in table]
        if batches:
            found[BATCH] = table[batches[0]]
        lines = [name for name in self.cell_lines if name in table]
        if self.cell_line:
            found[CELL_LINE] = pd.Series(self.cell_line, table.index)
        elif lines:
            found[CELL_LINE] = table[lines[0]]
        if self.modality:
            found[MODALITY] = pd.Series(self.modality, table.index)
        elif "perturbation_type" in table:
            kind = table["perturbation_type"].astype(str)
            found[MODALITY] = kind.map(lambda text: _MODALITIES.get(text, text))
        return found


def _contract_first(table: pd.DataFrame) -> pd.DataFrame:
    first = [PERTURBATION, CONTROL, BATCH, CELL_LINE, MODALITY, PUBLISHED_LABEL]
    named = [name for name in first if name in table]
    return table[named + [name for name in table.columns if name not in named]]
