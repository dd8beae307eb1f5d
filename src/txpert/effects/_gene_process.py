"""The Gaussian process over genes, contexts and directions of response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from txpert._types import FloatArray

from ._cholesky import factorized
from ._contexts import Context
from ._covariance import Rows
from ._directions import Directions
from ._fit_blocks import fit_blocks, loo_variance
from ._fitted_variances import FittedVariances
from ._gene_kernels import GeneKernels
from ._measured_effects import MeasuredEffects
from ._missing import context_means, first_guess
from ._posterior import SINGLE, Predicting
from ._process_state import fields_of, state_of
from ._row_groups import row_groups

_IMPUTATIONS = 5


@dataclass(frozen=True)
class GeneGaussianProcess(Predicting):
    r"""A Gaussian process: perturbations of similar genes have similar effects.

    .. math:: \Delta_{P,c} = \sum_{t \in P} (b + b_c + a_c f_{t,c} + a_c g_{t,c})
              + \varepsilon_{P,c},
              \quad
              \operatorname{Cov}(f_{p,c}, f_{q,c'}) = \sigma^2 \sum_k v_k K^{(k)}_{pq}
              \sum_j r_j F^{(j)}_{cc'}

    in context c, a cell line and modality, with the kernels :class:`GeneKernels` and factors
    :class:`ContextFactors`; a gene's own part g likewise with 1[p = q] for the kernels, and the
    deviation of a context's mean effect, :math:`b_c`, with the factors alone. The noise has
    variance :math:`\sigma^2 s_c \tilde n / n_P`, and :math:`a_c^2` is the geometric mean of s over
    the contexts of a cell line: a line that responds less in some directions varies less there.
    Each block of principal components of the
    training effects (:class:`Directions`) has variances of its own, fitted by penalized REML.

    Attributes
    ----------
    rows
        Training rows.
    kernels
        Names of the kernels.
    log_variances
        By block, ``(n_blocks, n_parameters)``.
    directions
        Blocks of directions of response.
    mean
        b by block, as coordinates (the last one by gene).
    weights
        By block, of training rows.
    noise
        σ² by block and gene, ``(n_blocks, n_genes)``.
    scale
        By modality, what effects were divided by.
    """

    rows: Rows
    kernels: list[str]
    log_variances: FloatArray
    directions: Directions
    mean: list[FloatArray]
    weights: list[FloatArray]
    noise: FloatArray
    scale: dict[str, float]
    _inverses: list[FloatArray] = field(default_factory=list, repr=False, compare=False)
    _effects: list[FloatArray] = field(default_factory=list, repr=False, compare=False)

    @classmethod
    def fit(
        cls,
        effects: MeasuredEffects,
        kernels: GeneKernels,
        earlier: FittedVariances | None = None,
        *,
        keep: bool = False,
    ) -> GeneGaussianProcess:
        """Fit to effects.

        Parameters
        ----------
        effects
            Effects; missing entries are imputed from the process itself.
        kernels
            Kernels; targets must be among their anchors.
        earlier
            Variances of a process fitted before, to begin from.
        keep
            Whether these are kept as they are.

        Raises
        ------
        KeyError
            If a target is not among the anchors.
        """
        contexts = [
            Context(*pair) for pair in zip(effects.cell_line, effects.modality, strict=True)
        ]
        rows = Rows.of(effects.targets, contexts, effects.n_cells)
        lost = rows.targets[~rows.targets.isin(kernels.anchors)]
        if len(lost):
            raise KeyError(
                f"Targets {lost[:5].tolist()} are not among the anchors of the kernels."
            )
        scale = _scales(effects)
        divisor = np.array([scale[str(m)] for m in effects.modality])[:, None]
        delta = effects.delta / divisor
        missing = np.isnan(delta)
        if not missing.any():
            return cls._fit_complete(rows, delta, kernels, scale, earlier, keep)
        y = first_guess(delta, rows.context)
        process = cls._fit_complete(rows, y, kernels, scale, earlier, keep)
        for _ in range(_IMPUTATIONS):
            y[missing] = process._fitted(y)[missing]
            process = cls._fit_complete(rows, y, kernels, scale, process.fitted_variances, True)
        if not keep:
            process = cls._fit_complete(rows, y, kernels, scale, earlier, keep)
        observed = np.maximum((~missing).mean(axis=0), 1 / len(missing))
        return replace(process, noise=process.noise / observed)

    @classmethod
    def _fit_complete(
        cls,
        rows: Rows,
        y: FloatArray,
        kernels: GeneKernels,
        scale: dict[str, float],
        earlier: FittedVariances | None,
        keep: bool,
    ) -> GeneGaussianProcess:
        """Fit to effects without missing entries."""
        y = y.astype(np.float64 if len(y) <= SINGLE else np.float32, copy=False)
        directions = Directions.of(y - context_means(y, rows.context))
        blocks = directions.split(y)
        groups, number = row_groups(rows, kernels, blocks), directions.n_components
        known = earlier.carried(kernels.names, rows.contexts, len(number)) if earlier else None
        if known is not None and keep:
            log_variances = known
        else:
            log_variances = fit_blocks(groups, kernels.prior, number, known)
        noise = loo_variance(groups, log_variances, directions)
        del groups
        process = cls(
            rows, kernels.names, log_variances, directions, [], [], noise.astype(np.float32), scale
        )
        for block, covariance in zip(blocks, process._covariances(kernels), strict=True):
            process._solve(block, covariance)
        process._effects.append(y)
        return process

    @property
    def fitted_variances(self) -> FittedVariances:
        """Variances for another fit."""
        return FittedVariances(self.log_variances, self.kernels, self.rows.contexts)

    @property
    def explained(self) -> float:
        """Fraction of the variance of training effects that the kernels account for."""
        by_kernels, whole = 0.0, 0.0
        for v, noise in zip(self.variances, self.noise, strict=True):
            size, of_kernels = float(noise.sum()), float(v.kernels.sum() * v.context.sum())
            by_kernels += size * of_kernels
            whole += size * (of_kernels + float(v.own.sum() + v.noise.mean()))
        return by_kernels / whole if whole else 0.0

    def _solve(self, y: FloatArray, covariance: FloatArray) -> None:
        """Add the mean and the weights of a block; the inverse is kept where it is small."""
        order = self.rows.order.astype(covariance.dtype)
        factor = factorized(covariance)
        along = factor.solve(order.copy())
        mean = along @ y / (along @ order)
        weights = factor.solve(y - np.outer(order, mean))
        self.mean.append(mean.astype(np.float32))
        self.weights.append(weights.astype(np.float32, order="C"))
        if self.knows_spread:
            self._inverses.append(factor.inverse().astype(np.float32))

    def _fitted(self, y: FloatArray) -> FloatArray:
        """Return the posterior mean of training rows: Y less the noise's part N C⁻¹ (Y − u b)."""
        noise = [self.rows.noise * v.noise[self.rows.context] for v in self.variances]
        parts: list[FloatArray] = [
            n[:, None] * w for n, w in zip(noise, self.weights, strict=True)
        ]
        return np.subtract(y, self.directions.join(parts))

    def to_dict(self) -> dict[str, Any]:
        """Return plain arrays and strings, for saving."""
        return state_of(vars(self))

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> GeneGaussianProcess:
        """Rebuild what :meth:`to_dict` returned."""
        return cls(**fields_of(state))


def _scales(effects: MeasuredEffects) -> dict[str, float]:
    """Return the size of effects of each modality relative to that of all."""

    def size(rows: npt.NDArray[np.bool_]) -> float:
        values = effects.delta[rows]
        return float(np.sqrt(np.nanmean(values.astype(np.float64) ** 2)))

    names = sorted({str(name) for name in effects.modality})
    if len(names) == 1:
        return {names[0]: 1.0}
    whole = size(np.ones(len(effects), dtype=bool))
    sizes = {name: size(effects.modality == name) / whole for name in names}
    return {name: value if value > 0 else 1.0 for name, value in sizes.items()}
