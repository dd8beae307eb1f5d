"""What a screen looks like before any model: batches, the mean effect, replicates, DE genes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from txpert._types import FloatArray

_FDR = 0.05
METRICS = ("pearson", "cosine", "euclidean")
REPRESENTATIONS = ("delta", "centered", "pca")


def control_correlations(
    halves: FloatArray, batch: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Correlate halves of the controls of one cell line within and across batches.

    Profiles are centered on the mean of all halves, without which any two profiles of one cell
    line correlate highly.

    Parameters
    ----------
    halves
        Mean profile of each half of the controls of each batch, ``(n_batches, 2, n_genes)``.
    batch
        Names of the batches.

    Returns
    -------
    One row per pair of halves of different sets: kind ("within" or "across"), both batches and r;
    and medians, numbers, U and P of the two-sided Mann-Whitney test.
    """
    centered = halves - halves.mean(axis=(0, 1))
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


def replicate_retrieval(
    delta: FloatArray, perturbation: Sequence[str], context: Sequence[str]
) -> pd.DataFrame:
    """Ask how well a perturbation finds itself in another context.

    Parameters
    ----------
    delta
        Δ of each condition, ``(n, n_genes)``.
    perturbation, context
        What was done, and where, of each row.

    Returns
    -------
    One row per representation (Δ, Δ minus the context's mean, its first 50 principal components)
    and metric: ``mean`` and ``quantile_90`` over perturbations of the fraction of the other
    perturbations of a context that are less similar than the same one; 0.5 is chance; and ``n``,
    the number of comparisons.
    """
    names, where = np.asarray(perturbation, dtype=object), np.asarray(context, dtype=object)
    filled = np.nan_to_num(np.asarray(delta, dtype=float))
    centered = filled.copy()
    for one in dict.fromkeys(where):
        centered[where == one] -= centered[where == one].mean(axis=0)
    left, size, _ = np.linalg.svd(centered, full_matrices=False)
    forms = dict(zip(REPRESENTATIONS, (filled, centered, left[:, :50] * size[:50]), strict=True))
    rows = []
    for form, values in forms.items():
        for metric in METRICS:
            score = _self_ranks(_similarity(values, metric), names, where)
            mean = float(np.mean(score)) if len(score) else np.nan
            top = float(np.quantile(score, 0.9)) if len(score) else np.nan
            row = {"representation": form, "metric": metric, "mean": mean}
            rows.append({**row, "quantile_90": top, "n": len(score)})
    return pd.DataFrame(rows)


def _similarity(values: FloatArray, metric: str) -> FloatArray:
    if metric == "euclidean":
        square = np.square(values).sum(axis=1)
        return 2 * values @ values.T - square[:, None] - square
    if metric == "pearson":
        values = values - values.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(values, axis=1, keepdims=True)
    unit = np.divide(values, norm, out=np.zeros_like(values), where=norm > 0)
    return unit @ unit.T


def _self_ranks(similarity: FloatArray, names: FloatArray, where: FloatArray) -> FloatArray:
    found = []
    for context in dict.fromkeys(where):
        column = np.flatnonzero(where == context)
        if len(column) < 2:
            continue
        for row in np.flatnonzero(where != context):
            same = names[column] == names[row]
            if same.sum() == 1:
                values = similarity[row, column]
                others = values[~same]
                own = values[same][0]
                found.append((others < own).mean() + (others == own).mean() / 2)
    return np.array(found)
