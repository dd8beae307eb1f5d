"""How strong the effect of each perturbation is, against the controls of its cell line."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse
from tqdm.auto import tqdm

from txpert._constants import CELL_LINE, CONTROL, PERTURBATION
from txpert._types import FloatArray, IntArray
from txpert.data._matrix import read_cells_of
from txpert.data._tokens import parse_targets
from txpert.data._values import ValueCheck
from txpert.splits._perturbations import Perturbations

N_DE_GENES = "n_de_genes"
TARGET_EXPRESSION = "target_expression"
SIGNIFICANCE = 0.05
"""Adjusted p-value below which a gene counts as differentially expressed."""

_BATCH = 16
"""Perturbations handed to scanpy at once: bounds its memory, and its table is slow beyond."""


def measure_effects(perturbations: Perturbations, matrix: Any, method: str | None) -> pd.DataFrame:
    """Count differentially expressed genes, and see how far the target has fallen.

    Parameters
    ----------
    perturbations
        What each cell has been given.
    matrix
        Log-normalized expression, cells × genes.
    method
        Test that scanpy is to use; ``None`` for no test.

    Returns
    -------
    n_de_genes and target_expression of each perturbation; missing where undefined.

    Raises
    ------
    ValueError
        If a cell is NaN, infinite, negative, in raw counts or too large for a logarithm.
    """
    frame, screen = perturbations.frame, perturbations.screen
    values = pd.DataFrame(np.nan, index=frame.index, columns=[N_DE_GENES, TARGET_EXPRESSION])
    lines = frame[CELL_LINE].to_numpy()
    targets = [pd.Index(parse_targets(label)) for label in frame[PERTURBATION]]
    columns = [screen.genes.get_indexer(names) for names in targets]
    check = ValueCheck("Expression", screen.names)
    with tqdm(
        total=len(frame), desc="Measuring effects", unit="perturbation", disable=len(frame) <= 100
    ) as progress:
        for line in dict.fromkeys(lines):
            chosen = np.flatnonzero(screen.control & (screen.cell_line == line))
            control = _read(matrix, chosen, check)
            before = np.asarray(control.expm1().mean(axis=0)).ravel()
            here = np.flatnonzero(lines == line)
            for start in range(0, len(here), _BATCH):
                rows = here[start : start + _BATCH]
                cells = np.flatnonzero(np.isin(perturbations.of_cell, rows))
                block, of_cell = _read(matrix, cells, check), perturbations.of_cell[cells]
                for row in rows:
                    own = columns[row][columns[row] >= 0]
                    values.loc[row, TARGET_EXPRESSION] = _remaining(
                        block[of_cell == row][:, own], before[own]
                    )
                if method is not None:
                    found = _count_de_genes(block, of_cell, control, method)
                    values.loc[list(found), N_DE_GENES] = list(found.values())
                progress.update(len(rows))
    check.conclude()
    return values


def _read(matrix: Any, cells: IntArray, check: ValueCheck) -> sparse.csr_matrix:
    """Read cells and refuse unusable ones."""
    block = read_cells_of(matrix, cells)
    check.add(cells, check.judge(block))
    check.refuse()
    return block


def _remaining(cells: sparse.csr_matrix, before: FloatArray) -> float:
    """Return the highest fraction of control expression that a target still has."""
    after = np.expm1(cells.toarray()).mean(axis=0)
    shares = after[before > 0] / before[before > 0]
    return float(shares.max()) if len(shares) else np.nan


def _count_de_genes(
    block: sparse.csr_matrix,
    of_cell: IntArray,
    control: sparse.csr_matrix,
    method: str,
) -> dict[int, int]:
    """Test each perturbation of two cells or more; one cell has no variance."""
    import scanpy as sc

    present, n_cells = np.unique(of_cell, return_counts=True)
    tested = present[n_cells > 1]
    if not len(tested) or control.shape[0] < 2:
        return {}
    names = np.append(of_cell.astype(str), np.full(control.shape[0], CONTROL))
    cells = AnnData(
        sparse.vstack([block, control], format="csr"),
        obs=pd.DataFrame(
            {PERTURBATION: pd.Categorical(names)}, index=np.arange(len(names)).astype(str)
        ),
    )
    with warnings.catch_warnings():
        # Dividing by the variance of a gene that no cell of the two groups has.
        warnings.simplefilter("ignore", RuntimeWarning)
        sc.tl.rank_genes_groups(
            cells,
            PERTURBATION,
            groups=[str(row) for row in tested],
            reference=CONTROL,
            method=method,
            use_raw=False,
        )
    adjusted = cells.uns["rank_genes_groups"]["pvals_adj"]
    return {int(row): int((adjusted[str(row)] < SIGNIFICANCE).sum()) for row in tested}
