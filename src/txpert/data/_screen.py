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
from ._values import check_effects, check_log_normalized


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
        Number of cells that each row of effects stands for, shape ``(n_rows,)``; ``None`` for
        one each.
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
        matrix = log_normalized(expression_matrix(adata, layer), target_sum, place(layer))
        screen = cls.from_columns(matrix, adata.var_names, columns)
        return screen.with_context(adata, adata.obs)

    def with_context(self, expression: AnnData, obs: Any) -> Screen:
        """Return the screen with what else the data say of rows and genes.

        Parameters
        ----------
        expression
            What ``X`` is from; its ``varm`` names the genes that each cell line measured
            (:func:`txpert.pp.mark_unmeasured`).
        obs
            Annotation of the rows; with effects, ``n_cells`` are the cells that each stands for.
        """
        measured = read_measured(expression)
        n_cells = None
        if N_CELLS in obs and self.of_effects:
            n_cells = obs_columns(obs, {N_CELLS: N_CELLS})[N_CELLS].to_numpy(dtype=np.int64)
        return replace(self, measured=measured, n_cells=n_cells)

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
            As :func:`check_log_normalized`; of effects only infinite ones.
        """
        if self.of_effects:
            check_effects(self.X, where)
        else:
            check_log_normalized(self.X, where, missing=True)

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

        Warns
        -----
        UserWarning
            If labels look like guides, other separators or spellings of genes, or targets have
            another name among the var names.
        """
        if not genes.is_unique:
            raise ValueError(
                f"The var name {genes[genes.duplicated()][0]!r} occurs more than once. "
                "Run adata.var_names_make_unique() first."
            )
        perturbation, control, labels = read_perturbations(columns)
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
        warn_of_labels(screen.perturbation.categories, screen.genes)
        return screen


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
