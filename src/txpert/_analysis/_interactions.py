"""Genetic interactions: how the effect of a pair differs from those of its parts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from txpert._constants import CELL_LINE, MODALITY, PERTURBATION
from txpert._types import FloatArray, IntArray

SCORES = ("synergy", "suppression", "neomorphism", "redundancy", "epistasis", "deviation")


def distance_correlation(a: FloatArray, b: FloatArray) -> float:
    """Return the distance correlation of two samples, in [0, 1].

    Parameters
    ----------
    a, b
        Shape ``(n,)`` or ``(n, n_columns)``.

    References
    ----------
    Székely, Rizzo and Bakirov, Annals of Statistics 2007.
    """
    first, second = _centered(a), _centered(b)
    norm = np.sqrt((first**2).mean() * (second**2).mean())
    return float(np.sqrt(max((first * second).mean(), 0) / norm)) if norm > 0 else np.nan


def _centered(values: FloatArray) -> FloatArray:
    values = np.asarray(values, dtype=float).reshape(len(values), -1)
    square = np.zeros((len(values), len(values)))
    for column in values.T:
        square += np.subtract.outer(column, column) ** 2
    distance = np.sqrt(square)
    return distance - distance.mean(axis=0) - distance.mean(axis=1)[:, None] + distance.mean()


def interaction_scores(
    first: FloatArray, second: FloatArray, pair: FloatArray, *, n_genes: int = 1_000
) -> dict[str, float]:
    """Score one pair.

    Parameters
    ----------
    first, second, pair
        Δ of the two parts and of the pair, ``(n_genes,)``; genes with a NaN are left out.
    n_genes
        Number of genes that count, those of the largest absolute Δ in any of the three.

    Returns
    -------
    ``c1``, ``c2``, ``magnitude``, ``fit``, ``similarity``, ``equality`` and the scores made of
    them; see :func:`txpert.tl.interactions`. NaN where the parts or the pair do not change.
    """
    values = np.stack([first, second, pair]).astype(float)
    values = values[:, np.isfinite(values).all(axis=0)]
    if values.shape[1] > n_genes:
        largest = np.argsort(-np.abs(values).max(axis=0), kind="stable")[:n_genes]
        values = values[:, np.sort(largest)]
    if values.shape[1] < 3 or not values.any(axis=1).all():
        names = ("c1", "c2", "magnitude", "fit", "similarity", "equality", *SCORES)
        return dict.fromkeys(names, np.nan)
    a, b, ab = values
    c1, c2 = np.linalg.lstsq(np.stack([a, b]).T, ab, rcond=1e-6)[0]
    magnitude = float(np.hypot(c1, c2))
    fit = distance_correlation(c1 * a + c2 * b, ab)
    similarity = distance_correlation(np.stack([a, b]).T, ab)
    parts = distance_correlation(a, ab), distance_correlation(b, ab)
    equality = min(parts) / max(parts)
    total = a + b
    excess = float(ab @ total / (total @ total)) - 1 if total.any() else np.nan
    return {
        "c1": float(c1),
        "c2": float(c2),
        "magnitude": magnitude,
        "fit": fit,
        "similarity": similarity,
        "equality": equality,
        "synergy": excess,
        "suppression": -excess,
        "neomorphism": 1 - fit,
        "redundancy": distance_correlation(a, b),
        "epistasis": 1 - equality,
        "deviation": float(np.sqrt(np.square(ab - a - b).mean())),
    }


def precision_at(predicted: FloatArray, observed: FloatArray, k: int) -> float:
    """Return the fraction of the ``k`` highest predicted scores among the ``k`` highest observed.

    NaN where either is undefined for all; pairs without both scores do not count.
    """
    known = np.flatnonzero(np.isfinite(predicted) & np.isfinite(observed))
    if not len(known):
        return np.nan
    k = min(k, len(known))
    top = [set(known[_highest(values[known], k)]) for values in (predicted, observed)]
    return len(top[0] & top[1]) / k


def _highest(values: FloatArray, k: int) -> IntArray:
    return np.argsort(-values, kind="stable")[:k]


def precision_table(scores: pd.DataFrame, k: int) -> pd.DataFrame:
    """Compare predicted and observed scores of the same pairs.

    Parameters
    ----------
    scores
        perturbation, cell_line, modality if there is one, source ("observed" or "predicted") and
        the scores.
    k
        Number of pairs called strongest.

    Returns
    -------
    One row per score: ``precision`` at ``k``, ``random``, what a random order reaches,
    ``spearman`` over pairs, and the numbers ``k`` and ``n``.
    """
    names = [name for name in (PERTURBATION, CELL_LINE, MODALITY) if name in scores]
    wide = scores.pivot(index=names, columns="source")
    rows = []
    for name in SCORES:
        both = pd.DataFrame(wide[name]).reindex(columns=["predicted", "observed"]).dropna()
        at = min(k, len(both))
        sources = both["predicted"].to_numpy(float), both["observed"].to_numpy(float)
        rows.append(
            {
                "score": name,
                "precision": precision_at(*sources, k) if at else np.nan,
                "random": at / len(both) if at else np.nan,
                "spearman": both["predicted"].corr(both["observed"], method="spearman"),
                "k": at,
                "n": len(both),
            }
        )
    return pd.DataFrame(rows)
