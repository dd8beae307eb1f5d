"""How far predictions of the Gaussian process can be relied on, from left-out training rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from txpert._types import BoolArray, FloatArray
from txpert.metrics import pearson_delta

from ._asked import Asked
from ._contexts import Context
from ._covariance import Rows
from ._gene_kernels import GeneKernels
from ._gene_process import GeneGaussianProcess
from ._left_out import LeftOut, left_out_with
from ._missing import context_means
from ._refit import refit, training_rows

_PENALTY = 10.0
"""Of the ridge regression on standardized features: so many perturbations of the mean score."""
_FOLDS = 5
_LEAST = 50
"""Targets from which on five folds say how optimistic left-out rows are."""
_MANY = 1_000
"""Targets from which on the first of five folds is enough."""
FEWEST = 6
"""Training perturbations from which on scores are expected: more than the regression has terms."""


@dataclass(frozen=True)
class Confidence:
    r"""Expected scores and conformal scales, calibrated on left-out training rows.

    The Pearson Δ of left-out rows is regressed (ridge) on the root of the variance explained, the
    largest prior correlation with a training row, the logarithm of the norm of the predicted Δ
    and its correlation with the mean effect of the context; less what directions and variances,
    which know the left-out rows, make them look better, by five folds. Features beyond those of
    left-out rows count as the nearest of these.

    Intervals are :math:`\hat\Delta \pm q\, s` with the posterior standard deviation s and the
    conformal quantile q of :math:`|\Delta - \hat\Delta| / s` over left-out rows: for each gene the
    :math:`\lceil (n + 1)\,\alpha \rceil`-th smallest of n (Barber et al. 2021,
    doi:10.1214/20-AOS1965, with leave-one-out in closed form).

    Attributes
    ----------
    coefficients, center, spread
        Of the regression on standardized features, the intercept first. Coefficients are NaN with
        fewer than 6 perturbations.
    limits
        Least and greatest features of left-out rows, ``(2, n_features)``.
    scores
        Ascending scores :math:`|\Delta - \hat\Delta| / s` by gene, ``(n_rows, n_genes)``; none of
        a single perturbation.
    means
        Mean Δ of each training context, ``(n_contexts, n_genes)``.
    """

    coefficients: FloatArray
    center: FloatArray
    spread: FloatArray
    limits: FloatArray
    scores: FloatArray
    means: FloatArray

    @classmethod
    def fit(
        cls,
        process: GeneGaussianProcess,
        kernels: GeneKernels,
        curve: Callable[[FloatArray], FloatArray] | None = None,
    ) -> Confidence:
        """Calibrate on the training rows.

        A perturbation is left out with all rows that share a target, and where it was measured in
        several contexts also by itself.

        Parameters
        ----------
        process, kernels
            A process, and the kernels of its fit.
        curve
            What predictions of single targets are mapped by before they are scored.
        """
        rows = process.rows
        parts = [LeftOut.of(process, kernels, "perturbation")]
        if any(len(of) > 1 for of in left_out_with(rows, "perturbation")):
            parts.append(LeftOut.of(process, kernels, "row"))
        observed = parts[0].observed
        of_row = context_means(observed, rows.context)
        first = [int(np.flatnonzero(rows.context == c)[0]) for c in range(rows.context.max() + 1)]
        x = np.concatenate(
            [_features(part.predicted, of_row, part.specific, part.support) for part in parts]
        )
        final = [_mapped(part.predicted, rows.order == 1, curve) for part in parts]
        r = np.concatenate([pearson_delta(predicted, observed) for predicted in final])
        number = n_perturbations(rows)
        coefficients, center, spread = _regression(x, r if number >= FEWEST else r * np.nan)
        coefficients[0] -= _optimism(process, kernels, observed)
        scores = np.abs(observed - final[0])
        scores /= np.maximum(parts[0].std, 1e-12)
        scores = np.sort(scores, axis=0).astype(np.float32)[: len(scores) if number > 1 else 0]
        limits = np.stack([x.min(axis=0), x.max(axis=0)])
        return cls(coefficients, center, spread, limits, scores, of_row[first])

    def expected(
        self,
        process: GeneGaussianProcess,
        kernels: GeneKernels,
        targets: Sequence[tuple[str, ...]],
        contexts: Sequence[Context],
    ) -> FloatArray:
        """Return the Pearson Δ expected of predictions, ``(n,)``, from −1 to 1.

        It is NaN with fewer than 6 training perturbations.
        """
        lines = [c.cell_line for c in contexts]
        modalities = [c.modality for c in contexts]
        posterior = process.predict(
            targets, kernels, cell_line=lines, modality=modalities, return_specific=True
        )
        assert posterior.mean is not None
        assert posterior.specific is not None
        known = {context: i for i, context in enumerate(process.rows.contexts.contexts)}
        overall = self.means.mean(axis=0)
        mean = np.stack([self.means[known[c]] if c in known else overall for c in contexts])
        support = support_of(process, kernels, targets, contexts)
        x = _features(posterior.mean, mean, posterior.specific, support).clip(*self.limits)
        design = np.c_[np.ones(len(x)), (x - self.center) / self.spread]
        return np.clip(design @ self.coefficients, -1, 1)

    def quantile(self, level: float) -> FloatArray:
        """Return how many standard deviations an interval reaches either way, ``(n_genes,)``.

        Raises
        ------
        ValueError
            If there are too few training effects for the level.
        """
        return self.scores[_rank(len(self.scores), level) - 1]


def check_level_of(rows: Rows, level: float) -> None:
    """Raise a ValueError if there are too few training effects for intervals of a level."""
    _rank(len(rows.context) if n_perturbations(rows) > 1 else 0, level)


def _rank(n: int, level: float) -> int:
    """Return which of n ascending scores, counted from 1, an interval reaches."""
    rank = int(np.ceil((n + 1) * level - 1e-9))
    if rank > n:
        least = max(2, int(np.ceil((level - 1e-9) / (1 - level))))
        most = f"; interval={100 * n // (n + 1) / 100:g} is the most" if n else ""
        raise ValueError(
            f"interval={level:g} needs the effects of at least {least:,} training "
            f"perturbations (in any cell line) and there are {n or 1:,}{most}."
        )
    return rank


def n_perturbations(rows: Rows) -> int:
    """Return the number of different perturbations in training."""
    members = rows.members.tocsr()
    return len({frozenset(members.indices[a:b]) for a, b in pairwise(members.indptr)})


def _regression(x: FloatArray, r: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return coefficients, center and spread of a ridge regression on standardized features."""
    known = np.isfinite(r)
    if not known.any():
        n_features = x.shape[1]
        return np.full(1 + n_features, np.nan), np.zeros(n_features), np.ones(n_features)
    center, spread = x[known].mean(axis=0), x[known].std(axis=0)
    spread[spread < 1e-9] = 1.0
    design = np.c_[np.ones(known.sum()), (x[known] - center) / spread]
    penalty = np.diag([0.0, *[_PENALTY] * x.shape[1]])
    coefficients = np.linalg.solve(design.T @ design + penalty, design.T @ r[known])
    return coefficients, center, spread


def _mapped(
    predicted: FloatArray, single: BoolArray, curve: Callable[[FloatArray], FloatArray] | None
) -> FloatArray:
    """Return predictions of which those of single targets are mapped by a curve."""
    if curve is None:
        return predicted
    return np.where(single[:, None], curve(predicted), predicted)


def _optimism(process: GeneGaussianProcess, kernels: GeneKernels, observed: FloatArray) -> float:
    """Return how much better left-out rows are predicted than unseen ones, as Pearson Δ.

    Directions and variances know the rows that are left out in closed form. In fits without a
    fifth of the targets, with directions of their own, left-out rows are compared with those of
    the fifth, which were never seen, alone or in a combination.
    """
    rows = training_rows(process, observed)
    names = np.array([target for of in rows.targets for target in of], dtype=object)
    owner = np.repeat(np.arange(len(rows.targets)), [len(of) for of in rows.targets])
    code = pd.factorize(names)[0]
    if code.max() + 1 < _LEAST:
        return 0.0
    fold = (np.random.default_rng(0).permutation(code.max() + 1) % _FOLDS)[code]
    seen, unseen = [], []
    for held in range(_FOLDS if code.max() < _MANY else 1):
        out = np.bincount(owner, fold == held, minlength=len(rows.targets)) > 0
        rest = rows.subset(~out)
        among = kernels.among(
            pd.Index(sorted({t for of in rest.targets for t in of}), dtype=object)
        )
        other = refit(process, rest, among)
        left_out = LeftOut.of(other, among, "perturbation")
        seen.append(pearson_delta(left_out.predicted, left_out.observed))
        part = rows.subset(out)
        predicted = other.predict(
            part.targets,
            among,
            cell_line=part.cell_line.tolist(),
            modality=part.modality.tolist(),
        ).mean
        assert predicted is not None
        unseen.append(pearson_delta(predicted, part.delta))
    return float(np.nanmean(np.concatenate(seen)) - np.nanmean(np.concatenate(unseen)))


def specific_of(
    process: GeneGaussianProcess,
    kernels: GeneKernels,
    targets: Sequence[tuple[str, ...]],
    contexts: Sequence[Context],
) -> FloatArray:
    """Return the fraction of specific variance explained, as ``predict`` does, without Δ."""
    asked, covariances = _specific(process, kernels, targets, contexts)
    known, prior = np.zeros(len(targets)), np.zeros(len(targets))
    blocks = zip(process.variances, covariances, process._inverse_blocks(kernels), strict=True)
    for block, (v, specific, inverse) in enumerate(blocks):
        size = float(process.noise[block].sum())
        known += size * np.einsum("ij,ij->i", specific @ inverse, specific)
        prior += size * asked.prior(v)
    return np.divide(known, prior, out=np.zeros_like(known), where=prior > 0).clip(0, 1)


def support_of(
    process: GeneGaussianProcess,
    kernels: GeneKernels,
    targets: Sequence[tuple[str, ...]],
    contexts: Sequence[Context],
) -> FloatArray:
    """Return the largest prior correlation of each perturbation with a training row."""
    asked, covariances = _specific(process, kernels, targets, contexts)
    found = np.zeros(len(targets))
    for v, specific in zip(process.variances, covariances, strict=True):
        of_rows = process.rows.order * process.rows.amplitude(v) ** 2 * v.of_one_target
        size = np.sqrt(np.outer(asked.prior(v), of_rows))
        correlation = specific / np.maximum(size, 1e-12)
        found = np.maximum(found, correlation.max(axis=1))
    return found


def _specific(
    process: GeneGaussianProcess,
    kernels: GeneKernels,
    targets: Sequence[tuple[str, ...]],
    contexts: Sequence[Context],
) -> tuple[Asked, Iterator[FloatArray]]:
    """Return perturbations, and their covariance with training rows by block."""
    genes = pd.Index(sorted({t for names in targets for t in names}), dtype=object)
    asked = Asked.of(process.rows, targets, genes, contexts)
    weights = np.array([v.kernels for v in process.variances])
    mixtures = kernels.mixtures(genes, process.rows.targets, weights)
    pairs = zip(process.variances, mixtures, strict=True)
    return asked, (asked.specific(v, mixture) for v, mixture in pairs)


def _features(
    predicted: FloatArray, mean: FloatArray, specific: FloatArray, support: FloatArray
) -> FloatArray:
    """Return what the expected score depends on, ``(n, 4)``."""
    norm = np.linalg.norm(predicted, axis=1)
    agreement = np.nan_to_num(pearson_delta(predicted, mean))
    return np.c_[np.sqrt(specific), support, np.log(np.maximum(norm, 1e-6)), agreement]
