"""``get.delta_df``: predicted or measured changes as a tidy table of genes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from txpert._constants import ALL, BATCH, CELL_LINE, CONTROL, DELTA, MODALITY, PERTURBATION
from txpert._options import check_names, check_whole
from txpert._types import BoolArray, FloatArray, IntArray
from txpert.data._tokens import canonical_label, measured_targets

Direction = Literal["both", "up", "down"]


def delta_df(
    prediction: AnnData,
    perturbation: str | Sequence[str] | None = None,
    top: int | None = None,
    *,
    cell_line: str | Sequence[str] | None = None,
    direction: Direction = "both",
    targets: bool = True,
) -> pd.DataFrame:
    """Return predicted changes as a table, one row per condition and gene.

    Parameters
    ----------
    prediction
        What ``predict`` of a model or baseline, or :func:`txpert.pp.pseudobulk`, returned.
    perturbation
        Only these; by default all.
    top
        Only the genes that change most, this many per condition; by default all.
    cell_line
        Only these; by default all.
    direction
        Order genes by the size of their change (``"both"``), or only those that rise (``"up"``)
        or fall (``"down"``).
    targets
        Whether to list the perturbation's own targets, too.

    Returns
    -------
    Sorted by condition and rank.

    ``perturbation``, ``cell_line``, and batch and modality where conditions differ in them
        The condition.
    ``gene``
        Name of the gene.
    ``rank``
        1 for the gene that changes most.
    ``log_fold_change``, ``log2_fold_change``
        Δ: the natural logarithm of (1 + expression) / (1 + control) in normalized counts, and the
        same to base 2. Of effects (:func:`txpert.pp.from_effects`) only ``effect``, in their unit.
    ``predicted``, ``control``
        Log-normalized expression, and that of the matched controls. ``predicted`` is
        ``measured`` for a pseudobulk.
    ``std``
        Standard deviation of Δ, if the prediction has it (``return_std=True``).
    ``is_target``
        Whether the gene is a target of the perturbation.

    Genes that were not measured are left out.

    Raises
    ------
    KeyError
        If the data hold no Δ, or no such perturbation or cell line.
    ValueError
        If ``top`` is no positive number or ``direction`` none of the three.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> prediction = tx.baselines.MeanBaseline().fit(adata).predict(["GENE3", "GENE5"])
    >>> table = tx.get.delta_df(prediction, "GENE3", top=3)
    >>> table["rank"].tolist()
    [1, 2, 3]
    """
    if direction not in ("both", "up", "down"):
        raise ValueError(f"direction must be 'both', 'up' or 'down', not {direction!r}.")
    check_whole("top", top, least=1, optional=True)
    if DELTA not in prediction.layers or PERTURBATION not in prediction.obs:
        raise KeyError(
            f"This is no prediction: it needs layers[{DELTA!r}] and obs[{PERTURBATION!r}]."
        )
    rows = _rows(prediction, PERTURBATION, perturbation) & _rows(prediction, CELL_LINE, cell_line)
    if perturbation is None and CONTROL in prediction.obs:  # a pseudobulk has rows of controls
        rows &= ~prediction.obs[CONTROL].to_numpy(dtype=bool)
    chosen = np.flatnonzero(rows)
    labels = prediction.obs[PERTURBATION].astype(str).iloc[chosen].tolist()
    delta = _dense(prediction.layers[DELTA], chosen)
    is_target = np.zeros(delta.shape, dtype=bool)
    is_target[measured_targets(labels, prediction.var_names)] = True
    row, gene, rank = _ordered(delta, is_target, direction, top, targets=targets)
    named = _condition(prediction.obs.iloc[chosen])
    table = named.iloc[row].reset_index(drop=True)
    table["gene"] = prediction.var_names.to_numpy()[gene]
    table["rank"] = rank
    _add_values(table, prediction, chosen, (row, gene), delta)
    table["is_target"] = is_target[row, gene]
    return table


def _rows(prediction: AnnData, column: str, wanted: str | Sequence[str] | None) -> BoolArray:
    """Return which conditions have one of some values in a column."""
    if wanted is None:
        return np.ones(prediction.n_obs, dtype=bool)
    if column not in prediction.obs:
        raise KeyError(f"The prediction has no obs column {column!r}, so leave that out.")
    names = [wanted] if isinstance(wanted, str) else list(map(str, check_names(column, wanted)))
    values = prediction.obs[column].astype(str)
    if column == PERTURBATION:
        values, names = values.map(canonical_label), [canonical_label(name) for name in names]
    absent = [name for name in names if name not in set(values)]
    if absent:
        known = ", ".join(list(values.unique())[:5])
        raise KeyError(f"The prediction has no {column} {absent[0]!r}; it has {known}, …")
    return values.isin(names).to_numpy()


def _condition(obs: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that name a condition; batch only where it says something."""
    names = [PERTURBATION, *([CELL_LINE] if CELL_LINE in obs else [])]
    if BATCH in obs and set(obs[BATCH].astype(str)) != {ALL}:
        names.append(BATCH)
    if MODALITY in obs:
        names.append(MODALITY)
    return obs[names].astype(str)


def _ordered(
    delta: FloatArray, is_target: BoolArray, direction: str, top: int | None, *, targets: bool
) -> tuple[IntArray, IntArray, IntArray]:
    """Return condition, gene and rank of what is listed, in order."""
    size = {"both": np.abs(delta), "up": delta, "down": -delta}[direction]
    listed = np.isfinite(delta) & (targets | ~is_target)
    if direction != "both":
        listed &= size > 0
    order = np.argsort(np.where(listed, -size, np.inf), axis=1, kind="stable")[:, :top]
    row, position = np.nonzero(np.take_along_axis(listed, order, axis=1))
    return row, order[row, position], position + 1


def _add_values(
    table: pd.DataFrame,
    prediction: AnnData,
    chosen: IntArray,
    where: tuple[IntArray, IntArray],
    delta: FloatArray,
) -> None:
    """Add the columns of numbers to a table of conditions and genes."""
    control = prediction.layers.get(CONTROL)
    if control is not None and not np.nan_to_num(_dense(control, chosen)).any():
        table["effect"] = delta[where]
    else:
        table["log_fold_change"] = delta[where]
        table["log2_fold_change"] = delta[where] / np.float32(np.log(2))
        name = "measured" if CONTROL in prediction.obs else "predicted"
        table[name] = _dense(prediction.X, chosen)[where]
        if control is not None:
            table["control"] = _dense(control, chosen)[where]
    if "std" in prediction.layers:
        table["std"] = _dense(prediction.layers["std"], chosen)[where]


def _dense(values: object, rows: IntArray) -> FloatArray:
    chosen = values[rows]  # type: ignore[index]
    return np.asarray(chosen.toarray() if sparse.issparse(chosen) else chosen, dtype=np.float32)
