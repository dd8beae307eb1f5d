from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import ALL, BATCH, CELL_LINE, CONTROL, PERTURBATION, SPLIT, TRAIN
from txpert.data import Screen, resolve_key


def read_cells(adata: AnnData, keys: Mapping[str, str | None]) -> pd.DataFrame:
    """Return the annotation of each cell by one set of names, faulty contexts and all.

    Parameters
    ----------
    adata
        Cells × genes with a split.
    keys
        obs columns: perturbation, control, cell_line, split and, if wanted, batch.

    Returns
    -------
    perturbation (canonical), control, cell_line, split and batch; ``"all"`` where the data name
    no cell line or batch.

    Raises
    ------
    KeyError
        If a column does not exist, the split's too.
    ValueError
        If a perturbation is missing, the control flag contradicts it, or the split has other
        values than train, val and test.
    """
    if keys[SPLIT] not in adata.obs:
        raise KeyError(f"adata.obs has no column {keys[SPLIT]!r}; tx.pp.split(adata) makes one.")
    resolved = {name: resolve_key(name, key, adata.obs, "adata.obs") for name, key in keys.items()}
    columns = {name: adata.obs[key] for name, key in resolved.items() if key is not None}
    labels = {name: columns[name] for name in (PERTURBATION, CONTROL, SPLIT)}
    screen = Screen.from_columns(adata.X, adata.var_names, labels)
    contexts = {
        name: pd.Categorical(columns[name].astype(str) if name in columns else [ALL] * adata.n_obs)
        for name in (CELL_LINE, BATCH)
    }
    return pd.DataFrame(
        {
            PERTURBATION: screen.perturbation,
            CONTROL: screen.control,
            SPLIT: screen.split,
            **contexts,
        },
        index=adata.obs_names.rename(None),
    )


def trained_on(cells: pd.DataFrame) -> np.ndarray:
    """Return which cells a model may learn from: training and control cells, ``(n_cells,)``."""
    return (cells[CONTROL] | (cells[SPLIT] == TRAIN)).to_numpy()


def conditions_of(cells: pd.DataFrame) -> pd.DataFrame:
    """Return cell_line, perturbation and split of the perturbed cells, each row once.

    A perturbation of a cell line whose cells are in several splits has several rows.
    """
    rows = cells.loc[~cells[CONTROL], [CELL_LINE, PERTURBATION, SPLIT]].drop_duplicates()
    return rows.astype(object).reset_index(drop=True)


def condition_names(conditions: pd.DataFrame) -> list[str]:
    """Name conditions ``"cell line|perturbation"``, as graphs do in ``learned_from``."""
    return sorted(set(conditions[CELL_LINE] + "|" + conditions[PERTURBATION]))
