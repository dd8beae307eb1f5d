"""Tables of predicted effects: genes of one perturbation, and perturbations by size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from txpert._constants import DELTA, PERTURBATION
from txpert._types import BoolArray, FloatArray

STD, TARGET, OBSERVED = "std", "target", "observed"


def effect_table(
    genes: pd.Index,
    delta: FloatArray,
    targets: Sequence[str],
    *,
    std: FloatArray | None = None,
    observed: FloatArray | None = None,
) -> pd.DataFrame:
    """List the genes of one perturbation.

    Parameters
    ----------
    genes
        Names of the genes.
    delta, std, observed
        Predicted Δ, its standard deviation and observed Δ, ``(n_genes,)``.
    targets
        Targets of the perturbation.

    Returns
    -------
    One row per gene: delta, whether it is a target, and std and observed where given.
    """
    table = pd.DataFrame({DELTA: delta, TARGET: genes.isin(list(targets))}, index=genes)
    for name, values in ((STD, std), (OBSERVED, observed)):
        if values is not None:
            table[name] = values
    return table


def top_genes(table: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return the targets and the ``n`` other genes of largest absolute Δ, from down to up."""
    others = table[~table[TARGET]].dropna(subset=DELTA)
    largest = others[DELTA].abs().sort_values(ascending=False, kind="stable").index[:n]
    chosen = pd.concat([table[table[TARGET]].dropna(subset=DELTA), table.loc[largest]])
    return chosen.sort_values(DELTA, kind="stable")


def with_tests(table: pd.DataFrame) -> pd.DataFrame:
    """Add z = Δ / std, −log10 of its two-sided normal P value, and the false discovery rate.

    Source of the rate: Benjamini and Hochberg, J. R. Stat. Soc. B 1995.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (table[DELTA] / table[STD]).to_numpy(dtype=float)
    log_p = np.minimum(stats.norm.logsf(np.abs(z)) + np.log(2), 0)
    p = np.exp(log_p)
    rate = np.full(len(p), np.nan)
    known = np.isfinite(p)
    if known.any():
        rate[known] = stats.false_discovery_control(p[known])
    return table.assign(z=z, minus_log10_p=-log_p / np.log(10), fdr=rate)


def effect_size(delta: FloatArray) -> FloatArray:
    """Return the root mean square of Δ over genes that have one, ``(n,)``; NaN without any."""
    n = np.isfinite(delta).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.sqrt(np.nansum(np.square(delta, dtype=float), axis=1) / n)


def signature_score(
    delta: FloatArray, genes: pd.Index, signature: Mapping[str, float] | Sequence[str]
) -> FloatArray:
    """Score effects by a signature: the mean Δ of its genes, weighted if it has weights.

    Parameters
    ----------
    delta
        Shape ``(n, n_genes)``.
    genes
        Names of the genes.
    signature
        Genes, or weights by gene, which may be negative for genes that go down.

    Returns
    -------
    Sum of weight × Δ over the sum of absolute weights, ``(n,)``.

    Raises
    ------
    ValueError
        If none of the genes is among those predicted, or the weights are all 0.
    """
    weights = pd.Series(
        dict(signature) if isinstance(signature, Mapping) else dict.fromkeys(signature, 1.0),
        dtype=float,
    )
    weights = weights[weights.index.isin(genes) & (weights != 0)]
    if weights.empty:
        raise ValueError(
            f"None of the {len(signature)} genes of the signature is among the {len(genes):,} "
            "genes predicted, or all weights are 0. Give genes as prediction.var_names has them."
        )
    values = delta[:, genes.get_indexer(weights.index)]
    return np.asarray(values @ weights.to_numpy() / weights.abs().sum())


def ranked(obs: pd.DataFrame, score: FloatArray, excluded: BoolArray) -> pd.DataFrame:
    """Return the conditions by falling absolute score, without the excluded and undefined ones."""
    table = obs.assign(score=score)[~excluded].dropna(subset="score")
    order = np.lexsort((table[PERTURBATION].astype(str), -table["score"].abs()))
    return table.iloc[order].reset_index(drop=True)
