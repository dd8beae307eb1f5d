"""``tl.screen_report``: what a screen looks like before any model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._analysis._effects import effect_size
from txpert._analysis._replicates import replicate_retrieval
from txpert._analysis._screen_quality import (
    batch_association,
    control_correlations,
    mean_effect_halves,
    mean_effect_similarity,
)
from txpert._constants import BATCH, CELL_LINE, CONTROL, MODALITY, N_CELLS, PERTURBATION
from txpert._options import check_name, check_seed
from txpert.data import ConditionTable, ObsKeys
from txpert.data._batches import average_over_batches
from txpert.data._conditions import conditions_of
from txpert.data._group_sums import group_sums
from txpert.data._keys import BATCH_KEY, CELL_LINE_KEY, CONTROL_KEY, PERTURBATION_KEY
from txpert.data._matrix import place, read_cells_of
from txpert.data._screen import Screen

from ._guides import guide_table
from ._screen_effects import de_genes, remaining_expression

REPORT_KEY = "txpert_screen_report"
_MOST_CONDITIONS = 2_000
"""Conditions that retrieval compares with each other."""
_MOST_CELLS = 500
"""Cells that look for their perturbation in other contexts."""


def screen_report(
    adata: AnnData,
    *,
    seed: int = 0,
    perturbation_key: str = PERTURBATION_KEY,
    control_key: str = CONTROL_KEY,
    batch_key: str | None = BATCH_KEY,
    cell_line_key: str | None = CELL_LINE_KEY,
    control_label: str | Sequence[str] | None = None,
    guide_key: str | None = None,
    layer: str | None = None,
    key_added: str = REPORT_KEY,
) -> pd.DataFrame:
    """Look at a screen before any model: batches, the mean effect, effect sizes, replicates.

    Parameters
    ----------
    adata
        Cells × genes, log-normalized. ``uns[key_added]`` is written, see Returns.
    seed
        Seeds the halves of controls and perturbations, and the draws.
    perturbation_key, control_key, batch_key, cell_line_key
        obs columns; by default those registered by ``setup_anndata``, if any. Studies are compared
        where ``cell_line_key`` names them.
    control_label
        Label or labels of unperturbed cells, instead of ``control_key``.
    guide_key
        obs column of guides, to be compared with the other guides of their gene.
    layer
        Layer of the expression values; ``None`` takes ``X``.
    key_added
        Key in ``uns``.

    Returns
    -------
    One row per cell line: numbers, median correlation of halves of the controls within and across
    batches with the P value of a Mann-Whitney U test, and χ², P value and Cramér's V of
    perturbation against batch. ``uns[key_added]`` holds it as ``summary``, and

    ``perturbations``
        One row per perturbation × cell line: ``effect_size`` (root mean square of Δ), ``n_de``
        (genes with a false discovery rate below 0.05 in a z test over cells), ``remaining``
        (expression of the target over that in controls, from means of log1p; of the target left
        least in combinations), ``r_mean_own`` and ``r_mean_other`` (correlation with the mean
        effect of the other perturbations of the line, and of the other lines), ``batch_v``,
        ``batch_fdr`` and ``most_common_batch`` (whether its cells are spread over batches as all
        are).
    ``controls``
        Correlations of the halves, centered on their mean: of n batches that do not differ
        -1 / (2n - 1) is expected within and across; of a single batch there are none.
    ``mean_effect``, ``lines``, ``genes``
        Mean effect of each cell line, ``(n_lines, n_genes)``, and names.
    ``mean_effect_r``
        Correlation of the mean effects of halves of the perturbations, cell line × cell line.
    ``guides``
        With ``guide_key``, one row per guide × cell line: ``effect_size`` and ``n_de`` as above,
        and ``r_others``, the correlation of its Δ with that of the gene's other guides.
    ``retrieval``
        How well a perturbation finds itself in another context, by unit (pseudobulk, single
        cell), representation and metric: mean and 0.9 quantile of its rank among the context's
        perturbations, from 0 to 1 (the most similar); of perturbations drawn at random where
        there are more than 2,000 conditions, and of 500 cells.

    Raises
    ------
    KeyError
        If a column or the layer does not exist.
    ValueError
        If annotation or values are unusable, or a guide stands for two perturbations.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.tl.screen_report(adata)[["n_perturbations", "n_batches"]].values.tolist()
    [[12, 2]]
    """
    check_name("key_added", key_added)
    check_seed(seed)
    keys = ObsKeys.of(
        adata,
        perturbation=perturbation_key,
        control=control_key,
        batch=batch_key,
        cell_line=cell_line_key,
        control_label=control_label,
    )
    screen = Screen.from_anndata(adata, keys, layer)
    screen.check_values(place(layer))
    guides = {} if guide_key is None else {"guides": guide_table(adata, screen, guide_key)}
    table = ConditionTable.from_screen(screen)
    perturbed = table.subset(~table.obs[CONTROL].to_numpy(dtype=bool))
    if not len(perturbed.obs):
        raise ValueError("All cells are controls; a report takes perturbed cells, too.")
    delta, obs = average_over_batches(perturbed.delta, perturbed.obs)
    obs = obs.drop(columns=MODALITY, errors="ignore").astype({PERTURBATION: str, CELL_LINE: str})
    lines = list(dict.fromkeys(obs[CELL_LINE]))
    obs["effect_size"] = effect_size(delta)
    obs["n_de"] = de_genes(screen, delta, obs)
    obs["remaining"] = remaining_expression(table, delta, obs)
    obs = pd.concat([obs, mean_effect_similarity(delta, obs[CELL_LINE].tolist())], axis=1)
    spread, batches = _batches(perturbed.obs, lines)
    obs = obs.merge(batches, on=[PERTURBATION, CELL_LINE], how="left")
    halves, controls = _controls(screen, lines, seed)
    summary = pd.concat([_numbers(table, obs, lines), controls, spread], axis=1)
    means = [np.nan_to_num(delta[(obs[CELL_LINE] == line).to_numpy()]).mean(0) for line in lines]
    adata.uns[key_added] = {
        "summary": summary,
        "perturbations": obs,
        "controls": halves,
        "mean_effect": np.stack(means),
        "lines": np.array(lines, dtype=object),
        "genes": np.asarray(table.genes, dtype=object),
        "mean_effect_r": mean_effect_halves(
            delta, obs[PERTURBATION].tolist(), obs[CELL_LINE].tolist(), seed=seed
        ),
        "retrieval": _retrieval(screen, table, seed),
        **guides,
    }
    return summary


def _retrieval(screen: Screen, table: ConditionTable, seed: int) -> pd.DataFrame:
    """Let perturbations find themselves in other contexts; some of them, if they are many."""
    rng = np.random.default_rng(seed)
    perturbed = ~table.obs[CONTROL].to_numpy(dtype=bool)
    labels = table.obs[PERTURBATION].astype(str).to_numpy()
    names = np.unique(labels[perturbed])
    most = max(20, int(_MOST_CONDITIONS * len(names) / perturbed.sum()))
    if most < len(names):
        names = rng.choice(names, most, replace=False)
    chosen = np.flatnonzero(perturbed & np.isin(labels, names))
    rows = table.subset(chosen)
    context = rows.obs[CELL_LINE].astype(str) + " " + rows.obs[BATCH].astype(str)
    cells = None
    if not screen.of_effects and context.nunique() > 1:
        row_of = np.full(len(table.obs), -1, dtype=np.int64)
        row_of[chosen] = np.arange(len(chosen))
        row = row_of[conditions_of(screen)[1]]
        known = np.flatnonzero(row >= 0)
        some = np.sort(rng.choice(known, min(_MOST_CELLS, len(known)), replace=False))
        matched = (rows.mean - rows.delta)[row[some]]
        cells = read_cells_of(screen.X, some).toarray() - matched, row[some]
    return replicate_retrieval(rows.delta, labels[chosen].tolist(), context.tolist(), cells)


def _numbers(table: ConditionTable, obs: pd.DataFrame, lines: list[str]) -> pd.DataFrame:
    rows = []
    control = table.obs[CONTROL].to_numpy(dtype=bool)
    of_line = table.obs[CELL_LINE].astype(str).to_numpy()
    for line in lines:
        part = obs[obs[CELL_LINE] == line]
        controls = table.obs[control & (of_line == line)]
        rows.append(
            {
                "n_perturbations": len(part),
                "n_cells": int(part[N_CELLS].sum()),
                "n_controls": int(controls[N_CELLS].sum()),
                "n_batches": len(controls),
                "median_effect_size": float(part["effect_size"].median()),
                "median_n_de": float(part["n_de"].median()),
                "median_remaining": float(part["remaining"].dropna().median()),
                "median_r_mean_own": float(part["r_mean_own"].dropna().median()),
            }
        )
    return pd.DataFrame(rows, index=pd.Index(lines, name=CELL_LINE))


def _batches(obs: pd.DataFrame, lines: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Test perturbation against batch in each cell line."""
    rows, parts = [], []
    for line in lines:
        part = obs[(obs[CELL_LINE].astype(str) == line).to_numpy()]
        part = part.astype({PERTURBATION: str, BATCH: str})
        counts = part.pivot_table(
            index=PERTURBATION, columns=BATCH, values=N_CELLS, aggfunc="sum", fill_value=0
        )
        summary, each = batch_association(counts)
        rows.append({f"batch_{name}": value for name, value in summary.items()})
        parts.append(each.reset_index().assign(**{CELL_LINE: line}))
    return pd.DataFrame(rows, index=pd.Index(lines, name=CELL_LINE)), pd.concat(parts)


def _controls(screen: Screen, lines: list[str], seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Correlate random halves of the controls, within and across batches."""
    rng = np.random.default_rng(seed)
    cells = np.flatnonzero(screen.control)
    n_batches = len(screen.batch.categories)
    context = (
        screen.cell_line.codes[cells].astype(np.int64) * n_batches + screen.batch.codes[cells]
    )
    half = np.zeros(len(cells), dtype=np.int64)
    for one in np.unique(context):
        at = rng.permutation(np.flatnonzero(context == one))
        half[at[len(at) // 2 :]] = 1
    group = np.full(len(screen.control), -1, dtype=np.int64)
    group[cells] = 2 * context + half
    n_groups = 2 * len(screen.cell_line.categories) * n_batches
    n = np.bincount(group[cells], minlength=n_groups)
    with np.errstate(invalid="ignore"):
        mean = group_sums(screen.X, group, n_groups) / n[:, None]
    names = screen.batch.categories.astype(str)
    rows, parts = [], []
    for line in lines:
        start = list(screen.cell_line.categories.astype(str)).index(line) * n_batches
        whole = [b for b in range(n_batches) if n[2 * (start + b) : 2 * (start + b) + 2].all()]
        at = np.array([[2 * (start + b), 2 * (start + b) + 1] for b in whole], dtype=np.int64)
        values = np.nan_to_num(mean[at]) if len(at) else np.zeros((0, 2, mean.shape[1]))
        table, test = control_correlations(values, list(names[whole]))
        parts.append(table.assign(**{CELL_LINE: line}))
        rows.append({f"controls_{name}": value for name, value in test.items()})
    frame = pd.DataFrame(rows, index=pd.Index(lines, name=CELL_LINE))
    return pd.concat(parts, ignore_index=True), frame
