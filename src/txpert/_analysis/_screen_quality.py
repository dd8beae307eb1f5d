"""What a screen looks like before any model: batches, the mean effect, genes that change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from txpert._types import FloatArray

_FDR = 0.05


def control_correlations(
    halves: FloatArray, batch: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Correlate halves of the controls of one cell line within and across batches.

    Profiles are centered on the mean of all halves, without which any two profiles of one cell
    line correlate highly. So two halves of a single batch would be opposites whatever they hold,
    and nothing is compared; of n batches that do not differ the expected r is -1 / (2n - 1).

    Parameters
    ----------
    halves
        Mean profile of each half of the controls of each batch, ``(n_batches, 2, n_genes)``.
    batch
        Names of the batches.

    Returns
    -------
    One row per pair of halves of different sets, none for a single batch: kind ("within" or
    "across"), both batches and r; and medians, numbers, U and P of the two-sided Mann-Whitney
    test.
    """
    if len(batch) == 1:
        halves, batch = halves[:0], []
    centered = halves - halves.mean(axis=(0, 1)) if len(halves) else halves
    size = np.linalg.norm(centered, axis=2, keepdims=True)
    unit = np.divide(centered, size, out=np.zeros_like(centered), where=size > 0)
    r = unit[:, 0] @ unit[:, 1].T
    first, second = np.indices(r.shape).reshape(2, -1)
    names = np.asarray(batch, dtype=object)
    table = pd.DataFrame(
        {
            "kind": np.where(first == second, "within", "across"),
            "batch_1": names[first],
            "batch_2": names[second],
            "r": r.ravel(),
        }
    )
    within, across = (table.loc[table["kind"] == kind, "r"] for kind in ("within", "across"))
    u, p_value = np.nan, np.nan
    if len(within) > 1 and len(across):
        u, p_value = stats.mannwhitneyu(within, across)
    return table, {
        "median_within": float(within.median()) if len(within) else np.nan,
        "median_across": float(across.median()) if len(across) else np.nan,
        "n_within": len(within),
        "n_across": len(across),
        "u": float(u),
        "p_value": float(p_value),
    }


def batch_association(counts: pd.DataFrame) -> tuple[dict[str, float], pd.DataFrame]:
    """Test whether perturbations are independent of batches.

    Parameters
    ----------
    counts
        Numbers of cells, perturbations × batches.

    Returns
    -------
    χ², its degrees of freedom and P value, and Cramér's V corrected for bias (Bergsma, J. Korean
    Stat. Soc. 2013); and for each perturbation Cramér's V, P value and false discovery rate of
    its cells over batches against those of all, and the fraction of its cells in its most common
    batch.
    """
    values = counts.to_numpy(dtype=float)
    values = values[:, values.sum(axis=0) > 0]
    n_rows, n_columns = values.shape
    total = values.sum()
    row, column = values.sum(axis=1), values.sum(axis=0)
    expected = np.outer(row, column) / total
    with np.errstate(invalid="ignore"):
        part = ((values - expected) ** 2 / expected).sum(axis=1)
    degrees = (n_rows - 1) * (n_columns - 1)
    chi2, p_value, v = np.nan, np.nan, np.nan
    each = np.full(n_rows, np.nan)
    if degrees > 0:
        chi2 = float(part.sum())
        p_value = float(stats.chi2.sf(chi2, degrees))
        phi2 = max(chi2 / total - degrees / (total - 1), 0)
        rows, columns = (n - (n - 1) ** 2 / (total - 1) for n in (n_rows, n_columns))
        v = float(np.sqrt(phi2 / max(min(rows, columns) - 1, 1e-12)))
        # The perturbation is part of the total it is compared with.
        scaled = part / np.maximum(1 - row / total, 1e-12)
        each = stats.chi2.sf(scaled, n_columns - 1)
    rate = stats.false_discovery_control(each) if degrees > 0 else each
    table = pd.DataFrame(
        {
            "batch_v": np.sqrt(part / np.maximum(row * max(n_columns - 1, 1), 1)),
            "batch_p": each,
            "batch_fdr": rate,
            "most_common_batch": values.max(axis=1) / np.maximum(row, 1),
        },
        index=counts.index,
    )
    summary = {"chi2": chi2, "dof": degrees, "p_value": p_value, "cramers_v": v}
    return summary | {"n_confounded": int((rate < _FDR).sum())}, table


def mean_effect_similarity(delta: FloatArray, line: Sequence[str]) -> pd.DataFrame:
    """Correlate each effect with the mean effect of the other perturbations, by cell line.

    Parameters
    ----------
    delta
        Δ of each perturbation × cell line, ``(n, n_genes)``.
    line
        Cell line of each row.

    Returns
    -------
    ``r_mean_own``: Pearson correlation with the mean effect of the others in its line;
    ``r_mean_other``: with that of the other lines, averaged; NaN where there are none.
    """
    lines = np.asarray(line, dtype=object)
    filled = np.nan_to_num(np.asarray(delta, dtype=float))
    own, other = np.full(len(lines), np.nan), np.full(len(lines), np.nan)
    sums = {name: filled[lines == name].sum(axis=0) for name in dict.fromkeys(lines)}
    n = {name: int((lines == name).sum()) for name in sums}
    for i, name in enumerate(lines):
        if n[name] > 1:
            own[i] = _correlation(filled[i], (sums[name] - filled[i]) / (n[name] - 1))
        rest = [_correlation(filled[i], sums[one] / n[one]) for one in sums if one != name]
        if rest:
            other[i] = float(np.mean(rest))
    return pd.DataFrame({"r_mean_own": own, "r_mean_other": other})


def mean_effect_halves(
    delta: FloatArray,
    perturbation: Sequence[str],
    line: Sequence[str],
    *,
    n_repeats: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlate the mean effects of two halves of the perturbations, within and across lines.

    No perturbation is in both halves, so that cell lines do not agree for having perturbations in
    common, and a line does not agree with itself for having the same cells.

    Parameters
    ----------
    delta
        Δ of each perturbation × cell line, ``(n, n_genes)``.
    perturbation, line
        What was done, and where, of each row.
    n_repeats
        Random halvings to average over.
    seed
        Seeds them.

    Returns
    -------
    Pearson correlation, cell line × cell line; NaN where a half has no perturbation of a line.
    """
    names, where = np.asarray(perturbation, dtype=object), np.asarray(line, dtype=object)
    filled = np.nan_to_num(np.asarray(delta, dtype=float))
    lines, labels = list(dict.fromkeys(where)), np.unique(names.astype(str))
    of_line = np.array([where == one for one in lines])
    rng = np.random.default_rng(seed)
    found = np.full((n_repeats, len(lines), len(lines)), np.nan)
    for repeat in range(n_repeats):
        first = np.isin(names.astype(str), rng.permutation(labels)[: len(labels) // 2])
        halves = np.concatenate([of_line & first, of_line & ~first]).astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = halves @ filled / halves.sum(axis=1, keepdims=True)
            found[repeat] = np.corrcoef(means)[: len(lines), len(lines) :]
    both = np.concatenate([found, found.transpose(0, 2, 1)])
    known = np.isfinite(both)
    total, n = np.where(known, both, 0).sum(axis=0), known.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return pd.DataFrame(total / n, index=lines, columns=lines)


def _correlation(a: FloatArray, b: FloatArray) -> float:
    if a.std() == 0 or b.std() == 0:
        return np.nan
    return float(np.corrcoef(a, b)[0, 1])


def count_de(
    delta: FloatArray, variance: FloatArray, n: FloatArray, control: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """Count genes that change, of the perturbations of one cell line.

    Parameters
    ----------
    delta, variance
        Δ and the variance over cells, ``(n_perturbations, n_genes)``.
    n
        Numbers of cells, ``(n_perturbations,)``.
    control
        Variance of the controls per gene, and their number.

    Returns
    -------
    Numbers of genes with a false discovery rate below 0.05 in a z test; NaN for a single cell.
    """
    spread, n_control = control
    found = np.full(len(delta), np.nan)
    for i in np.flatnonzero(n > 1):
        error = np.sqrt(variance[i] / n[i] + spread / n_control)
        known = np.isfinite(delta[i]) & (error > 0)
        p = 2 * stats.norm.sf(np.abs(delta[i][known] / error[known]))
        found[i] = (stats.false_discovery_control(p) < _FDR).sum() if len(p) else 0
    return found
