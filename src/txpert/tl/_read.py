"""Reading data for a model as they are now: their scale and their split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from txpert._constants import CONTROL, PERTURBATION, SPLIT, TEST, TRAIN, VALIDATION
from txpert.data import ConditionTable
from txpert.data._conditions import conditions_of
from txpert.data._keys import obs_columns
from txpert.data._screen import Screen
from txpert.model import TxPertModel


def read_now(model: TxPertModel, adata: AnnData | MuData) -> tuple[Screen, ConditionTable]:
    """Return the cells and the pseudobulk of data, under the split that they have now.

    Raises
    ------
    ValueError
        If the data are not on the scale of the model's, the genes are not the model's, or cells
        of one condition are in different splits.
    """
    screen, table = model.read(adata)
    if adata is not model.adata:
        screen.check_values("The expression of the data to be compared with")
    column = _split_column(model, adata)
    if column is None:
        return screen, table
    unknown = set(column.dropna().unique()) - {TRAIN, VALIDATION, TEST}
    if unknown:
        raise ValueError(
            f"The obs column {column.name!r} has the value {min(map(str, unknown))!r}; it may "
            f"hold {TRAIN!r}, {VALIDATION!r}, {TEST!r} or NaN."
        )
    split = pd.Categorical(column, categories=[TRAIN, VALIDATION, TEST])
    screen = replace(screen, split=split)
    obs = conditions_of(screen)[0]
    of_condition = pd.Series(obs[SPLIT].to_numpy(), index=_keys(obs))
    now = of_condition.reindex(_keys(table.obs)).to_numpy(copy=True)
    now[table.obs[CONTROL].to_numpy(dtype=bool)] = np.nan
    values = pd.Categorical(now, categories=[TRAIN, VALIDATION, TEST])
    return screen, replace(table, obs=table.obs.assign(**{SPLIT: values}))


def _keys(obs: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(obs[["cell_line", "batch", PERTURBATION]].astype(str))


def _split_column(model: TxPertModel, adata: AnnData | MuData) -> pd.Series | None:
    """Return the registered split column as it stands, if there is one."""
    key = model.registry["setup_args"].get("split_key")
    if key is None or isinstance(adata, MuData) or key not in adata.obs:
        return None
    return obs_columns(adata.obs, {SPLIT: key})[SPLIT]
