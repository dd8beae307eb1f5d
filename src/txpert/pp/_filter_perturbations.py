"""Which perturbations have enough cells and an effect."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import N_CELLS, PERTURBATION
from txpert._options import check_number
from txpert.data import ObsKeys
from txpert.data._keys import CELL_LINE_KEY, CONTROL_KEY, PERTURBATION_KEY
from txpert.data._matrix import expression_matrix
from txpert.data._tokens import parse_targets
from txpert.data._values import check_log_normalized
from txpert.splits._perturbations import Perturbations

from ._measure import N_DE_GENES, TARGET_EXPRESSION, measure_effects

logger = logging.getLogger("txpert")

Method = Literal["t-test", "t-test_overestim_var", "wilcoxon"]


def filter_perturbations(
    adata: AnnData,
    *,
    min_cells: int | None = 25,
    min_de_genes: int | None = 50,
    max_target_expression: float | None = 0.7,
    method: Method = "t-test",
    layer: str | None = None,
    perturbation_key: str = PERTURBATION_KEY,
    control_key: str = CONTROL_KEY,
    cell_line_key: str | None = CELL_LINE_KEY,
    control_label: str | Sequence[str] | None = None,
    key_added: str = "perturbation_passes",
) -> pd.DataFrame:
    """Tell which perturbations have enough cells and an effect, in each cell line.

    No cell is dropped, so that the table can be looked at first. To drop those that fail:
    ``adata = adata[adata.obs["perturbation_passes"]].copy()``. Do so before :func:`split`, whose
    record is of the perturbations that there are.

    Parameters
    ----------
    adata
        Cells × genes, log-normalized; ``obs[key_added]`` is written.
    min_cells
        Least number of cells. Defaults are those of the paper; ``None`` switches a filter off.
    min_de_genes
        Least number of genes that differ from the controls of the cell line, by an adjusted
        p-value below 0.05 of :func:`scanpy.tl.rank_genes_groups`. This takes most of the time.
    max_target_expression
        Expression of the target as a fraction of that in the controls of the cell line (means of
        normalized counts) must be below this, where the target is measured; of a combination,
        that of every target. For CRISPRi; with CRISPRa take ``None``.
    method
        Test for differential expression; ``"wilcoxon"`` takes far longer than ``"t-test"``.
    layer
        Layer of the expression values; ``None`` takes ``X``.
    perturbation_key, control_key, cell_line_key
        obs columns; by default those registered by ``setup_anndata``, if any.
    control_label
        Label or labels of unperturbed cells, instead of ``control_key``.
    key_added
        obs column to write: whether a cell's perturbation passes. Controls do.

    Returns
    -------
    One row per cell line and perturbation: n_cells; n_de_genes, missing where it was not tested
    or has one cell only; target_expression, the highest of its targets, missing where no control
    cell expresses any; passes; and the reason if it does not.

    Raises
    ------
    KeyError
        If a column or the layer does not exist.
    ValueError
        If annotation or values are unusable, all filters are off, or there is no such method.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> table = tx.pp.filter_perturbations(adata, min_de_genes=5, max_target_expression=0.2)
    >>> int(table["passes"].sum()), len(table)
    (11, 12)
    >>> adata = adata[adata.obs["perturbation_passes"]].copy()
    """
    _check_filters(min_cells, min_de_genes, max_target_expression, method)
    keys = ObsKeys.of(
        adata,
        perturbation=perturbation_key,
        control=control_key,
        cell_line=cell_line_key,
        control_label=control_label,
    )
    keys.check_added(key_added)
    perturbations = Perturbations.read(adata, keys)
    table, of_cell = perturbations.frame.copy(), perturbations.of_cell
    table[N_CELLS] = np.bincount(of_cell[of_cell >= 0], minlength=len(table))
    table[[N_DE_GENES, TARGET_EXPRESSION]] = np.nan
    if min_de_genes is not None or max_target_expression is not None:
        matrix = expression_matrix(adata, layer)
        check_log_normalized(matrix, "adata.X" if layer is None else f"adata.layers[{layer!r}]")
        test = None if min_de_genes is None else method
        table[[N_DE_GENES, TARGET_EXPRESSION]] = measure_effects(perturbations, matrix, test)
    if max_target_expression is not None:
        _say_how_many_measured(table[PERTURBATION], adata.var_names)
    fails = _failures(table, min_cells, min_de_genes, max_target_expression)
    table["passes"] = fails == ""
    table["reason"] = fails
    adata.obs[key_added] = np.append(table["passes"].to_numpy(), True)[of_cell]
    return table


def _say_how_many_measured(labels: pd.Series, genes: pd.Index) -> None:
    """Say for how many targets the knock-down can be seen; warn if for none."""
    targets = {target for label in labels for target in parse_targets(label)}
    measured = len(targets & set(genes))
    if measured:
        logger.info("The knock-down filter sees %d of %d targets.", measured, len(targets))
        return
    warnings.warn(
        f"None of the {len(targets):,} targets ({', '.join(sorted(targets)[:3])}, …) is among "
        f"adata.var_names ({', '.join(map(str, genes[:3]))}, …), so the knock-down filter "
        "(max_target_expression) passes all. Filter before genes are dropped, with the same names "
        "in both (tx.graph.map_genes), or switch the filter off by None.",
        UserWarning,
        stacklevel=3,
    )


def _failures(
    table: pd.DataFrame,
    min_cells: int | None,
    min_de_genes: int | None,
    max_target_expression: float | None,
) -> pd.Series:
    """Say in words why each perturbation fails; an empty string where it does not."""
    reasons: list[list[str]] = [[] for _ in range(len(table))]
    for told, n, n_de, share in zip(
        reasons, table[N_CELLS], table[N_DE_GENES], table[TARGET_EXPRESSION], strict=True
    ):
        if min_cells is not None and n < min_cells:
            told.append(f"{n} of {min_cells} cells")
        if min_de_genes is not None and np.isnan(n_de):
            told.append("too few cells to test for DE genes")
        elif min_de_genes is not None and n_de < min_de_genes:
            told.append(f"{n_de:.0f} of {min_de_genes} DE genes")
        if max_target_expression is not None and share >= max_target_expression:
            told.append(f"target at {share:.2f} of control, not below {max_target_expression}")
    return pd.Series(["; ".join(told) for told in reasons], index=table.index, dtype=object)


def _check_filters(
    min_cells: int | None,
    min_de_genes: int | None,
    max_target_expression: float | None,
    method: str,
) -> None:
    check_number("min_cells", min_cells, least=0, optional=True)
    check_number("min_de_genes", min_de_genes, least=0, optional=True)
    check_number("max_target_expression", max_target_expression, above=0, optional=True)
    if min_cells is None and min_de_genes is None and max_target_expression is None:
        raise ValueError(
            "All filters are off: set min_cells, min_de_genes or max_target_expression."
        )
    if method not in get_args(Method):
        raise ValueError(
            f"There is no method {method!r}; those known are "
            f"{', '.join(map(repr, get_args(Method)))}."
        )
