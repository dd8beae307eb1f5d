"""The cells of a screen, their annotation checked and brought into one form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import (
    BATCH,
    CELL_LINE,
    MODALITY,
    N_CELLS,
    PERTURBATION,
    SPLIT,
    TEST,
    TRAIN,
    VALIDATION,
)
from txpert._types import BoolArray, FloatArray, IntArray, Matrix

from ._keys import ObsKeys, obs_columns
from ._label_warnings import warn_of_labels
from ._labels import read_context, read_perturbations
from ._log_normalized import LogNormalized, log_normalized
from ._matrix import expression_matrix, place
from ._measured import all_zero, read_measured
from ._modality import modality_of_cells
from ._once import warn_once
from ._sampling import sampled_blocks
from ._scale import check_one_sum
from ._storage import in_memory, is_dask
from ._unread_columns import warn_of_unread_columns
from ._values import check_effects, check_log_normalized

_FEW_CONTROLS = 10


@dataclass(frozen=True)
class Screen:
    """The cells of a perturbation screen: what was done to each, and in which context.

    Attributes
    ----------
    X
        Log-normalized expression, cells × genes, in memory or on disk; or effects, see
        :attr:`of_effects`. NaN is not measured.
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
    control_labels
        Labels that control cells have in the data.
    names
        Names of the cells, for messages.
    embedding
        Embedding of each cell, shape ``(n_cells, n_embedding)``, of which the controls' rows are
        used; ``None`` without one.
    modality
        Kind of perturbation of each cell (CRISPRi, CRISPRa); ``None`` where the data name none.
        Controls belong to their context, whatever is perturbed there: they have its modality, or
        ``"all"`` if it has several.
    n_cells
        Number of cells that each row of effects or of a pseudobulk stands for, shape
        ``(n_rows,)``; ``None`` for one each.
    measured
        Genes that each cell line measured, genes × cell lines; ``None`` for all.
    """

    X: Matrix
    genes: pd.Index
    perturbation: pd.Categorical
    control: BoolArray
    cell_line: pd.Categorical
    batch: pd.Categorical
    split: pd.Categorical | None
    control_labels: tuple[str, ...] = ()
    names: pd.Index | None = None
    embedding: FloatArray | None = None
    modality: pd.Categorical | None = None
    n_cells: IntArray | None = None
    measured: pd.DataFrame | None = None

    @classmethod
    def from_anndata(
        cls,
        adata: AnnData,
        keys: ObsKeys,
        layer: str | None = None,
        target_sum: float | None = None,
    ) -> Screen:
        """Read and check a screen; see :meth:`from_columns` for the errors raised.

        With ``target_sum``, ``X`` is :func:`log_normalized` whenever rows of it are read.
        """
        columns = keys.columns(adata.obs)
        warn_of_unread_columns(adata.obs, dict(keys.columns_named()))
        matrix = log_normalized(expression_matrix(adata, layer), target_sum, place(layer))
        screen = cls.from_columns(matrix, adata.var_names, columns, adata.var)
        return screen.with_context(adata, adata.obs)

    def with_context(self, expression: AnnData, obs: Any) -> Screen:
        """Return the screen with what else the data say of rows and genes.

        Parameters
        ----------
        expression
            What ``X`` is from; its ``varm`` names the genes that each cell line measured
            (:func:`txpert.pp.mark_unmeasured`).
        obs
            Annotation of the rows. In a pseudobulk, which has one row per condition, and with
            effects, ``n_cells`` are the cells that each stands for.
        """
        measured = read_measured(expression)
        n_cells = None
        if N_CELLS in obs and (self.one_row_per_condition or self.of_effects):
            n_cells = obs_columns(obs, {N_CELLS: N_CELLS})[N_CELLS].to_numpy(dtype=np.int64)
        return replace(self, measured=measured, n_cells=n_cells)

    @cached_property
    def one_row_per_condition(self) -> bool:
        """Whether no two rows are of one condition, as in a pseudobulk."""
        return (
            not pd.DataFrame(
                {
                    PERTURBATION: self.perturbation.codes,
                    CELL_LINE: self.cell_line.codes,
                    BATCH: self.batch.codes,
                    MODALITY: 0 if self.modality is None else self.modality.codes,
                }
            )
            .duplicated()
            .any()
        )

    @cached_property
    def of_effects(self) -> bool:
        """Whether ``X`` holds effects: the controls are zero in all genes, so Δ is ``X`` itself.

        So are tables of :func:`txpert.pp.from_effects`. Effects are of any sign and size.
        """
        if isinstance(self.X, LogNormalized):
            return False
        return all_zero(self.X, np.flatnonzero(self.control))

    def check_values(self, where: str) -> None:
        """Refuse sampled values that are neither log-normalized expression nor effects.

        Parameters
        ----------
        where
            How error messages call the matrix.

        Raises
        ------
        UnusableValuesError
            As :func:`check_log_normalized` and :func:`check_one_sum`; of effects only infinite
            ones.
        """
        if self.of_effects:
            check_effects(self.X, where)
            return
        sample = list(sampled_blocks(self.X))
        check_log_normalized(self.X, where, missing=True, sample=sample)
        if not isinstance(self.X, LogNormalized) and not self.one_row_per_condition:
            check_one_sum(self.X, self.cell_line, self.control, sample)

    @classmethod
    def from_columns(
        cls,
        X: Matrix,
        genes: pd.Index,
        columns: Mapping[str, pd.Series[Any]],
        var: pd.DataFrame | None = None,
    ) -> Screen:
        """Check the annotation of a screen and bring it into one form.

        Parameters
        ----------
        X
            Expression, cells × genes.
        genes
            Var names.
        columns
            obs columns by what they are for.
        var
            Annotation of the genes, for warnings.

        Raises
        ------
        ValueError
            If var names repeat; the perturbation, batch or cell line of a cell is missing; the
            control flag is not boolean or contradicts the label; a context has no control; or
            the split has other values than train, val and test.

        Warns
        -----
        UserWarning
            If contexts have fewer than 10 control cells, labels look like guides, other separators
            or spellings of genes, or targets have another name among the var names.
        """
        if not genes.is_unique:
            raise ValueError(
                f"The var name {genes[genes.duplicated()][0]!r} occurs more than once. "
                "Run adata.var_names_make_unique() first."
            )
        perturbation, control, labels = _read_perturbations(columns, X)
        n_cells = len(control)
        screen = cls(
            X=X,
            genes=genes.astype(str),
            perturbation=perturbation,
            control=control,
            cell_line=read_context(columns.get(CELL_LINE), n_cells),
            batch=read_context(columns.get(BATCH), n_cells),
            split=read_split(columns.get(SPLIT)),
            control_labels=labels,
            names=columns[PERTURBATION].index,
        )
        screen = replace(
            screen,
            modality=modality_of_cells(
                columns.get(MODALITY), control, screen.cell_line, screen.batch
            ),
        )
        _check_controls(screen, columns)
        _warn_of_few_controls(screen)
        warn_of_labels(screen.perturbation.categories, genes, labels, var)
        return screen


def _read_perturbations(
    columns: Mapping[str, pd.Series[Any]], matrix: Matrix
) -> tuple[pd.Categorical, BoolArray, tuple[str, ...]]:
    """Read labels and flags; what is said to copy is copied to a file where the data are one."""
    try:
        return read_perturbations(columns)
    except ValueError as error:
        if is_dask(matrix) or in_memory(getattr(matrix, "counts", matrix)):
            raise
        raise ValueError(str(error).replace(".copy()", ".copy('kept.h5ad')")) from None


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
    context = _contexts(screen)
    without = np.setdiff1d(context, context[screen.control])
    if not without.size:
        return
    names = ", ".join(_context_names(screen, without[:5]))
    keys = " and ".join(repr(columns[name].name) for name in (CELL_LINE, BATCH) if name in columns)
    raise ValueError(
        f"{len(without)} of the contexts given by {keys} (cell line / batch) have no control "
        f"cells: {names}. Drop their cells, or match controls by cell line alone with "
        "batch_key=None."
    )


def _warn_of_few_controls(screen: Screen) -> None:
    """Warn of contexts with perturbed cells whose mean control profile is that of a few cells."""
    context = _contexts(screen)
    n_controls = np.bincount(context[screen.control], minlength=context.max(initial=0) + 1)
    few = np.intersect1d(context[~screen.control], np.flatnonzero(n_controls < _FEW_CONTROLS))
    if not few.size or screen.names is None or screen.X is None:
        return
    if screen.one_row_per_condition or screen.of_effects:
        return
    n_contexts = len(np.unique(context[~screen.control]))
    names = _context_names(screen, few[:3])
    shown = ", ".join(f"{name} ({n_controls[i]})" for name, i in zip(names, few, strict=False))
    in_batches = len(screen.batch.categories) > len(screen.cell_line.categories)
    remedy = (
        'Match controls by cell line alone: batch_key=None, or matching="cell_line" of a model.'
        if in_batches
        else "Effects there are known no better than the mean of these few."
    )
    warn_once(
        f"{len(few):,} of {n_contexts:,} contexts (cell line / batch) have fewer than "
        f"{_FEW_CONTROLS} control cells: {shown}{', …' if len(few) > 3 else ''}. Every effect of "
        f"a context is a difference from the mean of its controls. {remedy}",
        screen.names,
        stacklevel=4,
    )


def _contexts(screen: Screen) -> IntArray:
    """Return the number of each cell's context, ``(n_cells,)``."""
    n_batches = len(screen.batch.categories)
    return screen.cell_line.codes.astype(np.int64) * n_batches + screen.batch.codes


def _context_names(screen: Screen, contexts: IntArray) -> list[str]:
    line, batch = np.divmod(contexts, len(screen.batch.categories))
    lines, batches = screen.cell_line.categories[line], screen.batch.categories[batch]
    return [f"{one} / {other}" for one, other in zip(lines, batches, strict=True)]
