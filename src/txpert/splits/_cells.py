"""The annotation of cells as splits are checked by it, faulty contexts and all."""

from __future__ import annotations

import pandas as pd
from anndata import AnnData

from txpert._constants import (
    BATCH,
    CELL_LINE,
    CONTROL,
    MODALITY,
    PERTURBATION,
    SPLIT,
    TRAIN,
)
from txpert._types import BoolArray
from txpert.data import ObsKeys
from txpert.data._labels import read_context
from txpert.data._modality import modality_of_cells
from txpert.data._reading import read_labels
from txpert.data._screen import Screen


def read_cells(adata: AnnData, keys: ObsKeys) -> pd.DataFrame:
    """Return the annotation of each cell by one set of names, faulty contexts and all.

    Parameters
    ----------
    adata
        Cells × genes with a split.
    keys
        obs columns: perturbation, control, cell_line, split and, if wanted, batch.

    Returns
    -------
    perturbation (canonical), control, cell_line, split, batch and modality, if any; ``"all"``
    where the data name no cell line or batch.

    Raises
    ------
    KeyError
        If a column does not exist, the split's too.
    ValueError
        If a perturbation, batch or cell line is missing, the control flag contradicts it, or the
        split has other values than train, val and test.
    """
    if keys.split not in adata.obs:
        raise KeyError(
            f"adata.obs has no column {keys.split!r}; tx.pp.split(adata) makes one (split_key)."
        )
    columns = keys.columns(adata.obs)
    labels = {name: columns[name] for name in (PERTURBATION, CONTROL, SPLIT)}
    screen = Screen.from_columns(adata.X, adata.var_names, labels, adata.var)
    contexts = {name: read_context(columns.get(name), adata.n_obs) for name in (CELL_LINE, BATCH)}
    modality = modality_of_cells(
        columns.get(MODALITY), screen.control, contexts[CELL_LINE], contexts[BATCH]
    )
    if modality is not None:
        contexts[MODALITY] = modality
    return pd.DataFrame(
        {
            PERTURBATION: screen.perturbation,
            CONTROL: screen.control,
            SPLIT: screen.split,
            **contexts,
        },
        index=adata.obs_names.rename(None),
    )


def trained_on(cells: pd.DataFrame) -> BoolArray:
    """Return which cells a model may learn from: training and control cells, ``(n_cells,)``."""
    return (cells[CONTROL] | (cells[SPLIT] == TRAIN)).to_numpy()


def perturbed_conditions(cells: pd.DataFrame) -> pd.DataFrame:
    """Return cell_line, perturbation and split of the perturbed cells, each row once.

    A perturbation of a cell line whose cells are in several splits has several rows.
    """
    rows = cells.loc[~cells[CONTROL], [CELL_LINE, PERTURBATION, SPLIT]].drop_duplicates()
    return rows.astype(object).reset_index(drop=True)


def by_gene(conditions: pd.DataFrame, genes: pd.Index) -> pd.DataFrame:
    """Return conditions with each perturbation written as the genes it seems to stand for.

    Parameters
    ----------
    conditions
        Has a column perturbation.
    genes
        Var names of the data; see ``read_labels``.
    """
    reading = read_labels(conditions[PERTURBATION], genes)
    return conditions.assign(**{PERTURBATION: conditions[PERTURBATION].map(reading.label)})


def names_by_line(conditions: pd.DataFrame) -> list[str]:
    """Name conditions ``"cell line|perturbation"``, as graphs do in ``learned_from``."""
    return sorted(set(conditions[CELL_LINE] + "|" + conditions[PERTURBATION]))
