"""Which genes were measured in each cell line of several files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import pandas as pd
from anndata import AnnData

from txpert._constants import ALL
from txpert.data._labels import read_names
from txpert.data._measured import read_measured


def measured_by_line(opened: Mapping[str, AnnData], line_key: str | None) -> pd.DataFrame:
    """Return which genes all files with a cell line have, genes × cell lines."""
    names = list(dict.fromkeys(gene for one in opened.values() for gene in one.var_names))
    measured = pd.DataFrame(index=pd.Index(names, dtype=object))
    for one in opened.values():
        marks = read_measured(one)
        for line in _lines(one, line_key):
            held = measured.index.isin(one.var_names)
            if marks is not None and line in marks:
                held &= marks[line].reindex(measured.index, fill_value=False).to_numpy()
            measured[line] = held & measured[line] if line in measured else held
    return measured


def _lines(one: AnnData, line_key: str | None) -> list[str]:
    return [ALL] if line_key is None else list(read_names(one.obs[line_key]).categories)


def warn_of_panels(
    opened: Mapping[str, AnnData], measured: pd.DataFrame, line_key: str | None
) -> None:
    """Warn of genes that only some of the files with a cell line have."""
    for line in measured:
        having = [one for one in opened.values() if line in _lines(one, line_key)]
        anywhere = pd.Index(set().union(*(one.var_names for one in having)))
        lost = len(anywhere) - int(measured[line].sum())
        if len(having) > 1 and lost:
            warnings.warn(
                f"Of the {len(anywhere):,} genes of the files with cell line {line!r}, "
                f"{lost:,} are not in all of them and count as not measured there. Different "
                f"names of the line ({line_key or 'cell_line_key'}) for each file keep them.",
                UserWarning,
                stacklevel=4,
            )
