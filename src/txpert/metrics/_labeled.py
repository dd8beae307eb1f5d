"""Data frames, series and AnnData: aligned by their labels, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

DELTA = "delta"


def as_frame(values: Any) -> Any:
    """Return AnnData as a frame, conditions × genes, of its Δ; anything else as it is.

    Raises
    ------
    ValueError
        If AnnData have no ``layers["delta"]``.
    """
    if not all(hasattr(values, name) for name in ("obs_names", "var_names", "layers")):
        return values
    if DELTA not in values.layers:
        raise ValueError(f"The AnnData have no layers[{DELTA!r}], which metrics compare.")
    delta = values.layers[DELTA]
    delta = delta.toarray() if hasattr(delta, "toarray") else np.asarray(delta)
    return pd.DataFrame(delta, index=values.obs_names, columns=values.var_names)


def aligned(
    pred: Any, true: Any, genes: Any = None, *, rows: bool = True
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Any]:
    """Bring predicted values and a mask of genes into the order of the observed.

    Parameters
    ----------
    pred, true
        Δ; where both are labeled, labels decide, else positions.
    genes
        A mask of genes, labeled or not, or ``None``.
    rows
        Whether rows of both are the same conditions.

    Raises
    ------
    ValueError
        If both are labeled and differ in what they name, a label occurs twice, or a mask without
        labels is given for values in different orders.
    """
    pred, true = as_frame(pred), as_frame(true)
    moved = False
    if isinstance(pred, pd.DataFrame) and isinstance(true, pd.DataFrame):
        columns = _order(pred.columns, true.columns, "gene")
        index = _order(pred.index, true.index, "condition") if rows else None
        moved = columns is not None or index is not None
        pred = pred if columns is None else pred.iloc[:, columns]
        pred = pred if index is None else pred.iloc[index]
    mask = _mask(genes, true, pred, rows, moved)
    return np.asarray(pred), np.asarray(true), mask


def aligned_genes(reference: Any, true: Any) -> npt.NDArray[Any]:
    """Return a reference with its genes in the order of the observed, where both are named."""
    reference, true = as_frame(reference), as_frame(true)
    if isinstance(reference, pd.DataFrame) and isinstance(true, pd.DataFrame):
        columns = _order(reference.columns, true.columns, "gene")
        reference = reference if columns is None else reference.iloc[:, columns]
    return np.asarray(reference)


def aligned_series(first: Any, second: Any) -> tuple[Any, Any]:
    """Return two series in the order of the first; anything else as it is.

    Raises
    ------
    ValueError
        If they differ in what they name.
    """
    if isinstance(first, pd.Series) and isinstance(second, pd.Series):
        order = _order(second.index, first.index, "label")
        second = second if order is None else second.iloc[order]
    return first, second


def row_labels(values: Any) -> pd.Series | None:
    """Return a series that has the labels of the rows, ``None`` where they have none."""
    frame = as_frame(values)
    return pd.Series(0, index=frame.index) if isinstance(frame, pd.DataFrame) else None


def _mask(genes: Any, true: Any, pred: Any, rows: bool, moved: bool) -> Any:
    if genes is None:
        return None
    if isinstance(genes, pd.Series) and isinstance(true, pd.DataFrame):
        order = _order(genes.index, true.columns, "gene")
        return np.asarray(genes if order is None else genes.iloc[order])
    if isinstance(genes, pd.DataFrame) and isinstance(true, pd.DataFrame):
        like = true if rows else pred
        columns = _order(genes.columns, like.columns, "gene")
        index = _order(genes.index, like.index, "condition")
        genes = genes if columns is None else genes.iloc[:, columns]
        return np.asarray(genes if index is None else genes.iloc[index])
    if moved:
        raise ValueError(
            "Predicted and observed Δ name the same conditions and genes in different orders, and "
            "the mask of genes has no labels. Give it as a DataFrame or Series, or bring both "
            "into one order: pred = pred.reindex_like(true)."
        )
    return np.asarray(genes)


def _order(held: pd.Index, wanted: pd.Index, what: str) -> npt.NDArray[np.intp] | None:
    """Return the position of each wanted label; ``None`` where nothing has to move."""
    if held.equals(wanted):
        return None
    for index in (held, wanted):
        if not index.is_unique:
            twice = index[index.duplicated()][0]
            raise ValueError(
                f"The {what} {twice!r} occurs more than once, so labels do not align."
            )
    position = held.get_indexer(wanted)
    if len(held) != len(wanted) or (position == -1).any():
        lacking, extra = wanted.difference(held), held.difference(wanted)
        name, where = (lacking, "lacks") if len(lacking) else (extra, "has besides")
        raise ValueError(
            f"Predicted and observed values do not name the same {what}s: one of them {where} "
            f"{len(name)}, {name[0]!r} among them. Give both the same {what}s, or arrays if "
            "their order is the same."
        )
    return position
