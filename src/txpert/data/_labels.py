"""Reading obs columns: names, control flags and perturbation labels, each in one form."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from txpert._constants import ALL, CONTROL, PERTURBATION
from txpert._types import BoolArray, IntArray

from ._keys import refuse_repeated
from ._tokens import (
    canonical_label,
    drop_controls,
    is_control_name,
    is_missing_text,
    names_no_target,
)

_TRUE, _FALSE = frozenset({"true", "1", "1.0"}), frozenset({"false", "0", "0.0"})


def read_names(column: pd.Series[Any]) -> pd.Categorical:
    """Return the names in a column, as text; the number 1 and the text "1" are one name.

    Raises
    ------
    ValueError
        If the column occurs twice, or a value is missing, empty or the text of a missing value.
    """
    refuse_repeated(column)
    values = pd.Categorical(column).remove_unused_categories()
    raw = list(values.categories)
    names = np.asarray([_as_text(value, raw) for value in raw], dtype=object)
    empty = np.asarray([not name.strip() for name in names], dtype=bool)
    missing = values.codes == -1
    if empty.any():
        missing |= empty[values.codes]
    if missing.any():
        raise ValueError(
            f"The obs column {column.name!r} is NaN or empty for {missing.sum():,} cells (first: "
            f"{column.index[missing][0]!r}). Fill it in, or drop the cells: "
            f"adata = adata[{_named_cells(column, empty, values)}].copy()"
        )
    as_text = np.asarray([is_missing_text(name) for name in names], dtype=bool)
    if as_text.any():
        text = names[as_text][0]
        raise ValueError(
            f"The obs column {column.name!r} has the text {text!r}, a missing value that was made "
            f"text, for {as_text[values.codes].sum():,} cells. Fill it in, or drop the cells: "
            f"adata = adata[adata.obs[{column.name!r}] != {text!r}].copy()"
        )
    code, distinct = pd.factorize(names, sort=len(set(names)) < len(names))
    return pd.Categorical.from_codes(code[values.codes], categories=pd.Index(distinct))


def _named_cells(column: pd.Series[Any], empty: BoolArray, values: pd.Categorical[Any]) -> str:
    """Return the code that selects cells whose value is neither missing nor empty."""
    chosen = []
    if (values.codes == -1).any():
        chosen.append(f"adata.obs[{column.name!r}].notna()")
    if empty.any():
        chosen.append(f"(adata.obs[{column.name!r}].astype(str).str.strip() != '')")
    return " & ".join(chosen)


def read_context(column: pd.Series[Any] | None, n_cells: int) -> pd.Categorical[Any]:
    """Return the batch or cell line of each cell; one, ``"all"``, where there is no column.

    Raises
    ------
    ValueError
        As :func:`read_names`.

    Warns
    -----
    UserWarning
        If two names differ by case or spaces only.
    """
    if column is None:
        codes = np.zeros(n_cells, dtype=np.int8)
        return pd.Categorical.from_codes(codes, categories=pd.Index([ALL]))
    names = read_names(column)
    spelled: dict[str, list[str]] = {}
    for name in names.categories:
        spelled.setdefault("".join(name.split()).casefold(), []).append(name)
    several = [same for same in spelled.values() if len(same) > 1]
    if several:
        shown = "; ".join(" and ".join(map(repr, same)) for same in several[:3])
        warnings.warn(
            f"The obs column {column.name!r} has names that differ by case or spaces only: "
            f"{shown}. They count as different, each with controls of its own. If they are one: "
            f"adata.obs[{column.name!r}] = adata.obs[{column.name!r}].replace("
            f"{several[0][1]!r}, {several[0][0]!r})",
            UserWarning,
            stacklevel=4,
        )
    return names


def read_flags(column: pd.Series[Any], remedy: str) -> BoolArray:
    """Return a column of booleans, which may be stored as numbers, text or categories.

    Parameters
    ----------
    column
        Only ``True`` and ``False``, 1 and 0, or the texts of these.
    remedy
        How to make the column, for messages.

    Raises
    ------
    ValueError
        If a value is missing or anything else, or the column occurs twice.
    """
    refuse_repeated(column)
    values = pd.Categorical(column)
    texts = [str(value).strip().casefold() for value in values.categories]
    strange = [
        v for v, text in zip(values.categories, texts, strict=True) if text not in _TRUE | _FALSE
    ]
    if strange or (values.codes == -1).any():
        example = strange[0] if strange else np.nan
        raise ValueError(
            f"The control flag, obs column {column.name!r}, must be True or False for every cell; "
            f"it has the dtype {column.dtype} and values such as {example!r}. Fix it by {remedy}"
        )
    return np.asarray([text in _TRUE for text in texts], dtype=bool)[values.codes]


def read_perturbations(
    columns: Mapping[str, pd.Series[Any]],
) -> tuple[pd.Categorical, BoolArray, tuple[str, ...]]:
    """Return canonical label and control flag of each cell, and the labels that controls have.

    Parameters
    ----------
    columns
        obs columns of the perturbation and the control flag.

    Raises
    ------
    ValueError
        If there is no such column, a label is missing or malformed, the flag is not boolean, no
        cell is a control, or flag and label contradict each other.
    """
    for name in (PERTURBATION, CONTROL):
        if name not in columns:
            otherwise = ", unless control_label is given" if name == CONTROL else ""
            raise ValueError(f"{name}_key must name a column of obs{otherwise}; it is None.")
    labels = read_names(columns[PERTURBATION])
    key, flag_key = columns[PERTURBATION].name, columns[CONTROL].name
    flags = f"adata.obs[{flag_key!r}] = adata.obs[{key!r}]{_is_control_label(labels)}"
    flag = read_flags(columns[CONTROL], flags)
    if not flag.any():
        raise ValueError(
            f"No cell is a control: the obs column {flag_key!r} is False everywhere. "
            "Every cell line and batch needs unperturbed cells to compare with."
        )
    perturbed = [label for label in labels.categories if not is_control_name(label)]
    if flag.all() and len(labels.categories) > 1 and perturbed:
        raise ValueError(
            f"No cell is perturbed: the obs column {flag_key!r} is True everywhere, also where "
            f"{key} = {perturbed[0]!r}. Make it by {flags}"
        )
    categories = labels.categories
    n_control = np.bincount(labels.codes[flag], minlength=len(categories))
    n_perturbed = np.bincount(labels.codes[~flag], minlength=len(categories))
    both = (n_control > 0) & (n_perturbed > 0)
    if both.any():
        raise ValueError(
            f"Cells with {key} = {categories[both][0]!r} are flagged as controls in some rows "
            f"of the obs column {flag_key!r} and as perturbed in others."
        )
    controls = tuple(str(label) for label in categories[n_control > 0])
    _refuse_without_target(categories, n_perturbed, str(key), str(flag_key))
    names = [
        CONTROL if n else canonical_label(drop_controls(label.strip(), controls))
        for label, n in zip(categories, n_control, strict=True)
    ]
    _refuse_unflagged(categories, names, n_perturbed, str(key), str(flag_key))
    codes, uniques = pd.factorize(np.asarray(names, dtype=object), sort=True)
    read = pd.Categorical.from_codes(codes[labels.codes], categories=pd.Index(uniques))
    return read, flag, controls


def _is_control_label(labels: pd.Categorical[Any]) -> str:
    """Return the code that compares labels with those of controls, as far as these are known."""
    named = [str(label) for label in labels.categories if is_control_name(str(label))]
    if len(named) > 1:
        return f".isin({named})"
    return f" == {named[0]!r}" if named else " == <label of controls>"


def _refuse_without_target(
    labels: pd.Index, n_perturbed: IntArray, key: str, flag_key: str
) -> None:
    """Refuse perturbed cells whose label says that no one target is known."""
    for label, n in zip(labels, n_perturbed, strict=True):
        if n and names_no_target(str(label)):
            flag = f"adata.obs.loc[adata.obs[{key!r}] == {label!r}, {flag_key!r}] = True"
            otherwise = f", or flag them if they are controls: {flag}"
            raise ValueError(
                f"{int(n):,} cells have {key} = {label!r}, which names no target. Drop them: "
                f"adata = adata[adata.obs[{key!r}] != {label!r}].copy()"
                f"{otherwise if label.strip().casefold() == 'negative' else ''}"
            )


def _refuse_unflagged(
    labels: pd.Index, names: list[str], n_perturbed: IntArray, key: str, flag_key: str
) -> None:
    """Refuse perturbed cells whose label means control."""
    for label, name, n in zip(labels, names, n_perturbed, strict=True):
        if n and name == CONTROL:
            raise ValueError(
                f"{int(n):,} cells have {key} = {label!r}, which means control, but {flag_key!r} "
                f"is False for them. Flag them: adata.obs.loc[adata.obs[{key!r}] == {label!r}, "
                f"{flag_key!r}] = True; or drop them; or rename the label if it is a gene."
            )


def _as_text(value: Any, others: list[Any]) -> str:
    """Write a value as text; 1.0 as "1" where that stands in the same column."""
    if isinstance(value, float) and value.is_integer() and str(int(value)) in map(str, others):
        return str(int(value))
    return str(value)
