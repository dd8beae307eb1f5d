"""Effects without cells: tables of log fold changes or scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData
from anndata.utils import make_index_unique

from txpert._constants import (
    ALL,
    BATCH,
    CELL_LINE,
    CONTROL,
    MODALITY,
    N_CELLS,
    PERTURBATION,
)
from txpert.data._asked_conditions import condition_names
from txpert.data._tokens import canonical_label, parse_targets

PerRow = str | Sequence[str] | pd.Series


def from_effects(
    frame: pd.DataFrame,
    *,
    n_cells: int | Sequence[int] | pd.Series | None = None,
    cell_line: PerRow = ALL,
    modality: PerRow | None = None,
) -> AnnData:
    """Make a screen of a table of effects: log fold changes, z-scores, ranks.

    Published screens come as such tables, without cells. The effects become Δ against control rows
    of zeros, by which the whole package knows that the values are effects: they may be negative
    and of any size, and no effect on the targets' own expression, which is relative to that of
    controls, is estimated. Tables of several cell lines or modalities are put together by
    ``anndata.concat([a, b], join="outer")``, which leaves NaN where one of them lacks a gene.

    Parameters
    ----------
    frame
        Perturbations × genes: labels such as ``"A"`` or ``"A+B"`` as index, names of genes as
        columns. NaN is not measured.
    n_cells
        Number of cells that each effect was averaged over, one number or one per row; by default
        all effects count the same.
    cell_line, modality
        Context and kind of the perturbations (CRISPRi, deletion), one name or one per row. Each
        modality is a batch with control rows of its own.

    Returns
    -------
    Conditions × genes, effects in ``X``; ``obs`` has perturbation, control, cell_line, batch,
    n_cells and, if given, modality. :meth:`txpert.TxPertModel.setup_anndata`,
    :func:`txpert.pp.split`, baselines, :func:`txpert.tl.evaluate` and :func:`txpert.benchmark`
    take it.

    Raises
    ------
    TypeError
        If ``frame`` is no data frame of numbers.
    ValueError
        If a label is malformed, a gene occurs twice, a value is infinite, a perturbation has no
        value at all or controls have other values than 0; or ``n_cells``, ``cell_line`` or
        ``modality`` do not fit the rows.

    Examples
    --------
    >>> import pandas as pd
    >>> import txpert as tx
    >>> table = pd.DataFrame({"A": [-2.0, 0.1], "B": [0.4, -1.5]}, index=["A", "B"])
    >>> adata = tx.pp.from_effects(table, cell_line="K562", modality="CRISPRi")
    >>> adata.obs["perturbation"].to_list()
    ['A', 'B', 'control']
    """
    values = _values(frame)
    labels = [canonical_label(label) for label in frame.index]
    columns = {CELL_LINE: _per_row(cell_line, frame.index, "cell_line").astype(str)}
    columns[BATCH] = np.full(len(frame), ALL, dtype=object)
    if modality is not None:
        columns[MODALITY] = _per_row(modality, frame.index, "modality").astype(str)
        columns[BATCH] = columns[MODALITY]
    obs = pd.DataFrame({PERTURBATION: labels, CONTROL: False, **columns})
    obs[N_CELLS] = _numbers(1 if n_cells is None else n_cells, frame.index)
    perturbed = np.array([bool(parse_targets(label)) for label in labels], dtype=bool)
    _check_rows(values, perturbed, obs)
    obs, values = obs[perturbed], values[perturbed]
    contexts = obs[list(columns)].drop_duplicates()
    controls = contexts.copy()
    controls[PERTURBATION], controls[CONTROL], controls[N_CELLS] = CONTROL, True, 1
    obs = pd.concat([obs, controls[list(obs)]], ignore_index=True)
    zeros = np.zeros((len(controls), values.shape[1]), dtype=np.float32)
    obs.index = make_index_unique(condition_names(obs))
    return AnnData(
        np.concatenate([values, zeros]), obs=obs, var=pd.DataFrame(index=frame.columns.astype(str))
    )


def _values(frame: pd.DataFrame) -> npt.NDArray[np.float32]:
    """Return the effects as numbers."""
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(
            f"from_effects takes a data frame, perturbations × genes, not {type(frame).__name__}; "
            "an AnnData of effects gives one: "
            "adata.to_df().set_axis(adata.obs['perturbation'], axis=0)"
        )
    if frame.columns.nlevels > 1:
        raise TypeError(
            "The columns of the effects have several levels; they are genes. Keep one: "
            "frame.droplevel(0, axis=1)"
        )
    if not all(pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes):
        column = next(
            name
            for name, dtype in frame.dtypes.items()
            if not pd.api.types.is_numeric_dtype(dtype)
        )
        raise TypeError(
            f"The column {column!r} of the effects holds no numbers. Columns are genes; "
            f"perturbations are the index: frame.set_index({column!r})"
        )
    repeated = frame.columns[frame.columns.astype(str).duplicated()]
    if len(repeated):
        raise ValueError(
            f"The gene {repeated[0]!r} is a column of the effects more than once. Keep one: "
            "frame.loc[:, ~frame.columns.duplicated()]"
        )
    values = frame.to_numpy(dtype=np.float32, na_value=np.nan)
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise ValueError(
            f"The effect of {frame.index[row]!r} on {frame.columns[column]!r} is infinite. Write "
            "NaN for what was not measured: frame.replace([np.inf, -np.inf], np.nan)"
        )
    return values


def _check_rows(
    values: npt.NDArray[np.float32], perturbed: npt.NDArray[np.bool_], obs: pd.DataFrame
) -> None:
    """Refuse controls that are not zero, and perturbations without any value."""
    if np.nan_to_num(values[~perturbed]).any():
        raise ValueError(
            "The table has controls whose effects are not zero, so that it seems to hold "
            "expression. Subtract their mean and leave them out, or give the cells to "
            "setup_anndata."
        )
    if not perturbed.any():
        raise ValueError("The table has no perturbation.")
    empty = perturbed & np.isnan(values).all(axis=1)
    if empty.any():
        raise ValueError(
            f"No gene was measured for {empty.sum()} perturbations, "
            f"{obs[PERTURBATION][empty].iloc[0]!r} among them. Leave them out: "
            "frame.dropna(how='all')"
        )


def _per_row(value: Any, index: pd.Index, name: str) -> npt.NDArray[np.object_]:
    """Return a value for each row; a series is aligned by its index."""
    if isinstance(value, str) or not pd.api.types.is_list_like(value):
        found = np.full(len(index), value, dtype=object)
    elif isinstance(value, pd.Series) and not value.index.equals(index):
        if not value.index.is_unique or not index.isin(value.index).all():
            raise ValueError(
                f"{name} is a series with another index than the effects. Give it one per row: "
                f"{name}=series.to_numpy(), or with the perturbations as index."
            )
        found = value.reindex(index).to_numpy(dtype=object)
    else:
        found = np.asarray(value, dtype=object)
    if found.shape != (len(index),) or pd.isna(found).any():
        raise ValueError(
            f"{name} is one value, or one for each of the {len(index)} rows and none missing; "
            f"it has the shape {found.shape}."
        )
    return found


def _numbers(n_cells: Any, index: pd.Index) -> npt.NDArray[np.int64]:
    given = _per_row(n_cells, index, "n_cells")
    try:
        numbers = given.astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"n_cells are whole numbers of at least 1, not {n_cells!r}.") from error
    if (numbers < 1).any() or (numbers % 1 != 0).any():
        raise ValueError("n_cells are whole numbers of at least 1.")
    return numbers.astype(np.int64)
