"""Effects of perturbations on genes: how many change, and what is left of the target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from txpert._analysis._screen_quality import count_de
from txpert._constants import CELL_LINE, CONTROL, PERTURBATION
from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._formats import plain_block
from txpert.data._matrix import iter_chunks
from txpert.data._screen import Screen
from txpert.data._tokens import measured_targets


def de_genes(screen: Screen, delta: FloatArray, obs: pd.DataFrame) -> FloatArray:
    """Count differentially expressed genes of each perturbation × cell line."""
    n_labels = len(screen.perturbation.categories)
    group = screen.cell_line.codes.astype(np.int64) * n_labels + screen.perturbation.codes
    n_groups = len(screen.cell_line.categories) * n_labels
    n, variance = _variances(screen, group, n_groups)
    found = np.full(len(obs), np.nan)
    lines = list(screen.cell_line.categories.astype(str))
    labels = list(screen.perturbation.categories.astype(str))
    control = labels.index(CONTROL)
    for line in dict.fromkeys(obs[CELL_LINE]):
        rows = np.flatnonzero(obs[CELL_LINE] == line)
        start = lines.index(line) * n_labels
        at = np.array([start + labels.index(label) for label in obs[PERTURBATION].iloc[rows]])
        spread = variance[start + control], n[start + control]
        found[rows] = count_de(delta[rows], variance[at], n[at], spread)
    return found


def _variances(screen: Screen, group: IntArray, n_groups: int) -> tuple[FloatArray, FloatArray]:
    """Return the number of cells and the variance over cells of each group, in one pass."""
    shape = n_groups, screen.X.shape[1]
    total, squares = np.zeros(shape), np.zeros(shape)
    for rows, block in iter_chunks(screen.X):
        values: Any = plain_block(block)
        n_rows = values.shape[0]
        member = sparse.csr_array(
            (np.ones(n_rows), (group[rows], np.arange(n_rows))), shape=(n_groups, n_rows)
        )
        dense = values.toarray() if sparse.issparse(values) else np.asarray(values)
        dense = np.nan_to_num(dense.astype(np.float64))
        total += member @ dense
        squares += member @ dense**2
    n = np.bincount(group, minlength=n_groups).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (squares - total**2 / n[:, None]) / (n[:, None] - 1)
    return n, np.maximum(variance, 0)


def remaining_expression(
    table: ConditionTable, delta: FloatArray, obs: pd.DataFrame
) -> FloatArray:
    """Return the expression of each perturbation's target over that in the line's controls."""
    controls = table.controls.over_batches()
    line = pd.Index(controls.obs[CELL_LINE].astype(str)).get_indexer(pd.Index(obs[CELL_LINE]))
    row, gene = measured_targets(obs[PERTURBATION].tolist(), table.genes)
    before = controls.mean[line[row], gene].astype(float)
    after = before + delta[row, gene]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.expm1(np.maximum(after, 0)) / np.expm1(before)
    ratio[~(before > 0)] = np.nan
    found = np.full(len(obs), np.nan)
    order = np.argsort(-np.nan_to_num(ratio, nan=np.inf), kind="stable")
    found[row[order]] = ratio[order]  # the least comes last
    return found
