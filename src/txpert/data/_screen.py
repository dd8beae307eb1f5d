from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import (
    ALL,
    BATCH,
    CELL_LINE,
    CONTROL,
    PERTURBATION,
    SPLIT,
    TEST,
    TRAIN,
    VALIDATION,
)
from txpert._types import BoolArray, FloatArray, Matrix

from ._log_normalised import log_normalised
from ._matrix import expression_matrix, place
from ._tokens import canonical_label

logger = logging.getLogger("txpert")

_OPTIONAL = (BATCH, CELL_LINE, SPLIT)


def resolve_key(name: str, key: str | None, obs: pd.DataFrame, where: str) -> str | None:
    """Check the name of an obs column before anything is read.

    Batch, cell line and split are optional: under their default name they are used where they
    exist. A column asked for by any other name must exist.

    Parameters
    ----------
    name
        What the column is for: perturbation, control, batch, cell_line or split.
    key
        The column's name, or ``None``.
    obs
        Annotation of the cells.
    where
        How error messages call ``obs``.

    Raises
    ------
    KeyError
        If the column is missing.
    """
    if key is None or key in obs:
        return key
    if name in _OPTIONAL and key == name:
        logger.info("%s has no column %r: %s.", where, key, _without(name))
        return None
    message = f"{where} has no column {key!r} ({name}_key). It has: {', '.join(obs.columns)}."
    if name == CONTROL:
        message += f" To make it: {where}[{key!r}] = {where}[<perturbation column>] == 'control'"
    raise KeyError(message)


def obs_columns(obs: Any, keys: Mapping[str, str | None]) -> dict[str, pd.Series[Any]]:
    """Bring columns into memory.

    Parameters
    ----------
    obs
        Annotation of the cells: a frame, or what :func:`anndata.experimental.read_lazy` reads.
    keys
        Column by what it is for; ``None`` is left out.
    """
    named = {name: key for name, key in keys.items() if key is not None}
    frame = obs if isinstance(obs, pd.DataFrame) else obs[list({*named.values()})].to_memory()
    return {name: frame[key] for name, key in named.items()}


def _without(name: str) -> str:
    if name == SPLIT:
        return "validation perturbations will be drawn when training starts"
    return f"all cells count as one {name.replace('_', ' ')}"


@dataclass(frozen=True)
class Screen:
    """The cells of a perturbation screen: what was done to each, and in which context.

    Attributes
    ----------
    X
        Log-normalised expression, cells × genes, in memory or on disk.
    genes
        Names of the genes, each once.
    perturbation
        Canonical label of each cell (``"A+B"``, targets sorted), ``"control"`` for controls.
    control
        Whether a cell is a control, shape ``(n_cells,)``.
    cell_line, batch
        Context of each cell; one category, ``"all"``, where the data name none.
    split
        ``"train"``, ``"val"``, ``"test"`` or missing for each cell; ``None`` without a split.
    embedding
        Embedding of each cell, shape ``(n_cells, n_embedding)``, of which the controls' rows are
        used; ``None`` without one.
    """

    X: Matrix
    genes: pd.Index
    perturbation: pd.Categorical
    control: BoolArray
    cell_line: pd.Categorical
    batch: pd.Categorical
    split: pd.Categorical | None
    embedding: FloatArray | None = None

    @classmethod
    def from_anndata(
        cls,
        adata: AnnData,
        keys: Mapping[str, str | None],
        layer: str | None = None,
        target_sum: float | None = None,
    ) -> Screen:
        """Read and check a screen; see :meth:`from_columns` for the errors raised.

        With ``target_sum``, ``X`` is :func:`log_normalised` whenever rows of it are read.
        """
        resolved = {n: resolve_key(n, key, adata.obs, "adata.obs") for n, key in keys.items()}
        columns = obs_columns(adata.obs, resolved)
        matrix = log_normalised(expression_matrix(adata, layer), target_sum, place(layer))
        return cls.from_columns(matrix, adata.var_names, columns)

    @classmethod
    def from_columns(
        cls, X: Matrix, genes: pd.Index, columns: Mapping[str, pd.Series[Any]]
    ) -> Screen:
        """Check the annotation of a screen and bring it into one form.

        Raises
        ------
        ValueError
            If var names repeat; the perturbation, batch or cell line of a cell is missing; the
            control flag is not boolean or contradicts the label; a context has no control; or
            the split has other values than train, val and test.
        """
        if not genes.is_unique:
            raise ValueError(
                f"The var name {genes[genes.duplicated()][0]!r} occurs more than once. "
                "Run adata.var_names_make_unique() first."
            )
        perturbation = _labels(columns[PERTURBATION])
        control = _control_flag(columns[CONTROL], columns[PERTURBATION])
        n_cells = len(control)
        screen = cls(
            X=X,
            genes=genes.astype(str),
            perturbation=_canonical(perturbation, control, columns),
            control=control,
            cell_line=_context(columns.get(CELL_LINE), n_cells),
            batch=_context(columns.get(BATCH), n_cells),
            split=read_split(columns.get(SPLIT)),
        )
        _check_controls(screen, columns)
        return screen


def _labels(column: pd.Series[Any]) -> pd.Categorical:
    labels = pd.Categorical(column).remove_unused_categories()
    empty = np.asarray([str(label).strip() == "" for label in labels.categories], dtype=bool)
    missing = labels.codes == -1
    if empty.any():
        missing |= empty[labels.codes]
    if missing.any():
        raise ValueError(
            f"The obs column {column.name!r} is NaN or empty for {missing.sum():,} cells (first: "
            f"{column.index[missing][0]!r}). Fill it in, or drop the cells: "
            f"adata = adata[adata.obs[{column.name!r}].notna()].copy()"
        )
    return labels.rename_categories(str)


def _control_flag(column: pd.Series[Any], perturbation: pd.Series[Any]) -> BoolArray:
    if not pd.api.types.is_bool_dtype(column) or column.isna().any():
        raise ValueError(
            f"The control flag, obs column {column.name!r}, must be True or False for every cell; "
            f"it has the dtype {column.dtype} and values such as {column.iloc[0]!r}. Mend it by "
            f"adata.obs[{column.name!r}] = adata.obs[{perturbation.name!r}] == 'control'"
        )
    flag = column.to_numpy(dtype=bool)
    if not flag.any():
        raise ValueError(
            f"No cell is a control: the obs column {column.name!r} is False everywhere. "
            "Every cell line and batch needs unperturbed cells to compare with."
        )
    return flag


def _canonical(
    labels: pd.Categorical, control: BoolArray, columns: Mapping[str, pd.Series[Any]]
) -> pd.Categorical:
    """Canonicalise the labels (once per category, not per cell) and check them by the flag."""
    categories = labels.categories
    n_control = np.bincount(labels.codes[control], minlength=len(categories))
    n_perturbed = np.bincount(labels.codes[~control], minlength=len(categories))
    column, flag = columns[PERTURBATION].name, columns[CONTROL].name
    both = (n_control > 0) & (n_perturbed > 0)
    if both.any():
        raise ValueError(
            f"Cells with {column} = {categories[both][0]!r} are flagged as controls in some rows "
            f"of the obs column {flag!r} and as perturbed in others."
        )
    names = [
        CONTROL if is_control else canonical_label(label)
        for label, is_control in zip(categories, n_control > 0, strict=True)
    ]
    unflagged = [
        label
        for label, name, n in zip(categories, names, n_perturbed, strict=True)
        if name == CONTROL and n
    ]
    if unflagged:
        raise ValueError(
            f"{int(n_perturbed[categories.get_loc(unflagged[0])]):,} cells have {column} = "
            f"{unflagged[0]!r}, which means control, but {flag!r} is False for them."
        )
    codes, uniques = pd.factorize(np.asarray(names, dtype=object), sort=True)
    return pd.Categorical.from_codes(codes[labels.codes], categories=pd.Index(uniques))


def _context(column: pd.Series[Any] | None, n_cells: int) -> pd.Categorical[Any]:
    if column is None:
        return pd.Categorical.from_codes(
            np.zeros(n_cells, dtype=np.int8), categories=pd.Index([ALL])
        )
    return _labels(column)


def read_split(column: pd.Series[Any] | None) -> pd.Categorical | None:
    """Check a split column; ``None`` where there is none.

    Raises
    ------
    ValueError
        If it has other values than train, val and test.
    """
    if column is None:
        return None
    unknown = set(column.dropna().unique()) - {TRAIN, VALIDATION, TEST}
    if unknown:
        raise ValueError(
            f"The obs column {column.name!r} (split_key) has the value "
            f"{min(map(str, unknown))!r}; it may hold {TRAIN!r}, {VALIDATION!r}, {TEST!r} or NaN. "
            "tx.pp.split(adata) makes one, split_key=None ignores the column."
        )
    return pd.Categorical(column, categories=[TRAIN, VALIDATION, TEST])


def _check_controls(screen: Screen, columns: Mapping[str, pd.Series[Any]]) -> None:
    lines, batches = screen.cell_line, screen.batch
    context = lines.codes.astype(np.int64) * len(batches.categories) + batches.codes
    lonely = np.setdiff1d(context, context[screen.control])
    if not lonely.size:
        return
    line, batch = np.divmod(lonely, len(batches.categories))
    names = ", ".join(
        f"{lines.categories[i]} / {batches.categories[j]}"
        for i, j in zip(line[:5], batch[:5], strict=True)
    )
    keys = " and ".join(repr(columns[name].name) for name in (CELL_LINE, BATCH) if name in columns)
    raise ValueError(
        f"{len(lonely)} of the contexts given by {keys} (cell line / batch) have no control "
        f"cells: {names}. Drop their cells, or match controls by cell line alone with "
        "batch_key=None."
    )
