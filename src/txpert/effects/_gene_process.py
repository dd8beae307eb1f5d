"""The Gaussian process over genes, contexts and directions of response."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import linalg, sparse

from txpert._constants import ALL
from txpert._types import FloatArray

from ._asked import Asked
from ._contexts import Context, ContextFactors
from ._covariance import Layout, Rows, Variances
from ._directions import Directions
from ._fit_blocks import fit_blocks, loo_variance, thinned
from ._gene_kernels import GeneKernels
from ._measured_effects import MeasuredEffects
from ._missing import context_means, first_guess

_SINGLE = 2_000
"""Rows from which on the covariance is in single precision."""
_MOST_ENTRIES = 400_000_000
"""Entries of the mixtures of kernels that are held at a time."""
_CHUNK = 2_048
_IMPUTATIONS = 5


class Posterior(NamedTuple):
    """What is predicted of effects.

    Attributes
    ----------
    mean
        Posterior mean of Δ, ``(n_asked, n_genes)``.
    std
        Standard deviation of a measurement of Δ around it, with the median number of cells;
        ``None`` if not asked for.
    specific
        Fraction of the prior variance of what is specific to the perturbation that the posterior
        explains, ``(n_asked,)``; 0 where only the mean effect is known. ``None`` if not asked for.
    """

    mean: FloatArray
    std: FloatArray | None = None
    specific: FloatArray | None = None


@dataclass(frozen=True)
class GeneGaussianProcess:
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
        log_variances: FloatArray | None = None,
    ) -> GeneGaussianProcess:
        """Fit to effects.

        Parameters
        ----------
        effects
            Effects; missing entries are imputed from the process itself.
        kernels
            Kernels; targets must be among their anchors.
        log_variances
            Those of a process fitted before, to be kept.

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
            return cls._fit_complete(rows, delta, kernels, scale, log_variances)
        y = first_guess(delta, rows.context)
        process = cls._fit_complete(rows, y, kernels, scale, log_variances)
        for _ in range(_IMPUTATIONS):
            y[missing] = process._fitted(y)[missing]
            process = cls._fit_complete(rows, y, kernels, scale, process.log_variances)
        if log_variances is None:
            process = cls._fit_complete(rows, y, kernels, scale, None)
        observed = np.maximum((~missing).mean(axis=0), 1 / len(missing))
        return replace(process, noise=process.noise / observed)

    @classmethod
    def _fit_complete(
        cls,
        rows: Rows,
        y: FloatArray,
        kernels: GeneKernels,
        scale: dict[str, float],
        log_variances: FloatArray | None,
    ) -> GeneGaussianProcess:
        """Fit to effects without missing entries."""
        precision = np.float64 if len(y) <= _SINGLE else np.float32
        y = y.astype(precision)
        directions = Directions.of(y - context_means(y, rows.context))
        blocks = directions.split(y)
        some = thinned(len(rows))
        looked_at, of_some = rows.subset(some), [block[some] for block in blocks]
        between = [looked_at.of_rows(k) for k in kernels.between(rows.targets, rows.targets)]
        if log_variances is None:
            log_variances = fit_blocks(
                looked_at, between, kernels.prior, of_some, directions.n_components
            )
        noise = loo_variance(
            looked_at, between, log_variances, of_some, directions.axes, directions.edges
        )
        del between
        process = cls(
            rows, kernels.names, log_variances, directions, [], [], noise.astype(np.float32), scale
        )
        for block, covariance in zip(blocks, process._covariances(kernels), strict=True):
            process._solve(block, covariance)
        process._effects.append(y)
        return process

    @property
    def knows_spread(self) -> bool:
        """Whether the spread of predictions costs little: the inverses are small."""
        return len(self.rows) <= _SINGLE

    @property
    def layout(self) -> Layout:
        """Of the log variances."""
        factors = self.rows.factors
        return Layout(len(self.kernels), len(factors), factors.shape[1])

    @property
    def variances(self) -> list[Variances]:
        """By block."""
        return [self.layout.read(x) for x in self.log_variances]

    @property
    def explained(self) -> float:
        """Fraction of the variance of training effects that the kernels account for."""
        by_kernels, whole = 0.0, 0.0
        for v, noise in zip(self.variances, self.noise, strict=True):
            size, of_kernels = float(noise.sum()), float(v.kernels.sum() * v.context.sum())
            by_kernels += size * of_kernels
            whole += size * (of_kernels + float(v.own.sum() + v.noise.mean()))
        return by_kernels / whole if whole else 0.0

    def _covariances(self, kernels: GeneKernels) -> Iterator[FloatArray]:
        """Yield the covariance of training rows by block; a few at a time are held in memory."""
        targets, variances = self.rows.targets, self.variances
        at_once = max(1, _MOST_ENTRIES // len(targets) ** 2)
        for first in range(0, len(variances), at_once):
            some = variances[first : first + at_once]
            mixtures = kernels.mixtures(targets, targets, np.array([v.kernels for v in some]))
            for v in some:
                mixture = mixtures.pop(0)
                if len(self.rows) <= _SINGLE:
                    mixture = mixture.astype(np.float64)
                yield self.rows.covariance(v, mixture)

    def _solve(self, y: FloatArray, covariance: FloatArray) -> None:
        """Add the mean and the weights of a block; the inverse is kept where it is small."""
        order = self.rows.order.astype(covariance.dtype)
        factor = linalg.cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
        along = linalg.cho_solve(factor, order)
        mean = along @ y / (along @ order)
        weights = linalg.cho_solve(factor, y - np.outer(order, mean), overwrite_b=True)
        self.mean.append(mean.astype(np.float32))
        self.weights.append(weights.astype(np.float32))
        if len(order) <= _SINGLE:
            self._inverses.append(linalg.cho_solve(factor, np.eye(len(order))).astype(np.float32))

    def _fitted(self, y: FloatArray) -> FloatArray:
        """Return the posterior mean of training rows: Y less the noise's part N C⁻¹ (Y − u b)."""
        noise = [self.rows.noise * v.noise[self.rows.context] for v in self.variances]
        parts: list[FloatArray] = [
            n[:, None] * w for n, w in zip(noise, self.weights, strict=True)
        ]
        return np.subtract(y, self.directions.join(parts))

    def predict(
        self,
        targets: Sequence[tuple[str, ...]],
        kernels: GeneKernels,
        *,
        cell_line: Sequence[str] | str = ALL,
        modality: Sequence[str] | str = ALL,
        return_std: bool = False,
        return_specific: bool = False,
    ) -> Posterior:
        """Predict effects of perturbations, the sum over their targets.

        Parameters
        ----------
        targets
            Target genes of each perturbation, any genes.
        kernels
            Those of the fit.
        cell_line, modality
            Context of each perturbation, or of all. Of an unseen one, what all share is known.
        return_std, return_specific
            Whether to return ``std`` and ``specific`` too. The targets of a combination are taken
            to be independent there.
        """
        contexts = _contexts(cell_line, modality, len(targets))
        parts = []
        for first in range(0, len(targets), _CHUNK):
            some = slice(first, first + _CHUNK)
            asked = targets[some], contexts[some]
            parts.append(self._predict(*asked, kernels, return_std, return_specific))
        scale = np.array([self.scale.get(c.modality, 1.0) for c in contexts], np.float32)[:, None]
        mean, std, specific = (
            None if values[0] is None else np.concatenate(values)
            for values in zip(*parts, strict=True)
        )
        assert mean is not None
        return Posterior(mean * scale, None if std is None else std * scale, specific)

    def _predict(
        self,
        targets: Sequence[tuple[str, ...]],
        contexts: Sequence[Context],
        kernels: GeneKernels,
        return_std: bool,
        return_specific: bool,
    ) -> Posterior:
        """Predict some perturbations, in units of the scale."""
        rows, directions = self.rows, self.directions
        genes = pd.Index(sorted({t for names in targets for t in names}), dtype=object)
        asked = Asked.of(rows, targets, genes, contexts)
        variances = self.variances
        mixtures = kernels.mixtures(genes, rows.targets, np.array([v.kernels for v in variances]))
        coordinates: list[FloatArray] = []
        deviation = np.zeros((len(targets), self.noise.shape[1]) if return_std else 0)
        known, prior = np.zeros(len(targets)), np.zeros(len(targets))
        spread = return_std or return_specific
        inverses = self._inverse_blocks(kernels) if spread else None
        for block, (v, mean, weights) in enumerate(
            zip(variances, self.mean, self.weights, strict=True)
        ):
            specific = asked.specific(v, mixtures[block])
            general = asked.general(v)
            coordinates.append(np.outer(asked.order, mean) + (specific + general) @ weights)
            if inverses is None:
                continue
            inverse = next(inverses)
            size = float(self.noise[block].sum())
            known = known + size * _quadratic(specific, inverse)
            prior = prior + size * asked.prior(v)
            if not return_std:
                continue
            along = inverse @ rows.order.astype(np.float32)
            both = specific + general
            beyond = asked.order - both @ along
            left = asked.prior(v) + asked.prior_of_mean(v) - _quadratic(both, inverse)
            left = left.clip(0) + beyond**2 / (rows.order @ along) + asked.noise(v)
            deviation = deviation + np.outer(left, self.noise[block])
        mean = directions.join(coordinates).astype(np.float32)
        if inverses is None:
            return Posterior(mean)
        of_prior = np.divide(known, prior, out=np.zeros_like(known), where=prior > 0).clip(0, 1)
        std = np.sqrt(deviation).astype(np.float32) if return_std else None
        return Posterior(mean, std, of_prior)

    def _inverse_blocks(self, kernels: GeneKernels) -> Iterator[FloatArray]:
        """Yield inverses of covariances by block, in single precision; small ones are kept."""
        inverses = (
            linalg.inv(covariance, overwrite_a=True, check_finite=False).astype(np.float32)
            for covariance in self._covariances(kernels)
        )
        if not self.knows_spread:
            yield from inverses
            return
        if not self._inverses:
            self._inverses.extend([*inverses])
        yield from self._inverses

    def to_dict(self) -> dict[str, Any]:
        """Return plain arrays and strings, for saving."""
        members = self.rows.members.tocoo()
        contexts = self.rows.contexts.contexts
        return {
            "targets": self.rows.targets.to_numpy(dtype=str),
            "row": members.row,
            "target": members.col,
            "count": members.data,
            "cell_lines": np.array([context.cell_line for context in contexts], dtype=str),
            "modalities": np.array([context.modality for context in contexts], dtype=str),
            "context": self.rows.context,
            "row_noise": self.rows.noise,
            "kernels": np.array(self.kernels, dtype=str),
            "log_variances": self.log_variances,
            "axes": self.directions.axes,
            "edges": np.array(self.directions.edges),
            "n_rest": self.directions.n_rest,
            "mean": np.concatenate(self.mean[:-1]) if len(self.mean) > 1 else np.zeros(0),
            "mean_rest": self.mean[-1],
            "weights": np.concatenate(self.weights[:-1], axis=1)
            if len(self.weights) > 1
            else np.zeros((len(self.rows), 0), np.float32),
            "weights_rest": self.weights[-1],
            "noise": self.noise,
            "scale": dict(self.scale),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> GeneGaussianProcess:
        """Rebuild what :meth:`to_dict` returned."""
        targets = pd.Index(state["targets"].astype(object))
        shape = len(state["context"]), len(targets)
        entries = state["count"], (state["row"], state["target"])
        pairs = zip(state["cell_lines"].tolist(), state["modalities"].tolist(), strict=True)
        contexts = ContextFactors.of([Context(*pair) for pair in pairs])
        members = sparse.csr_array(entries, shape=shape)
        edges = [int(edge) for edge in state["edges"]]
        inner = edges[1:-1]
        return cls(
            Rows(targets, members, contexts, state["context"], state["row_noise"]),
            state["kernels"].tolist(),
            state["log_variances"],
            Directions(state["axes"], edges, int(state["n_rest"])),
            [*_blocks(state["mean"], inner, len(edges) > 1), state["mean_rest"]],
            [*_blocks(state["weights"], inner, len(edges) > 1), state["weights_rest"]],
            state["noise"],
            {str(k): float(v) for k, v in state["scale"].items()},
        )


def _blocks(values: FloatArray, edges: list[int], some: bool) -> list[FloatArray]:
    return np.split(values, edges, axis=-1) if some else []


def _quadratic(rows: FloatArray, inverse: FloatArray) -> FloatArray:
    return np.einsum("ij,ij->i", rows @ inverse, rows)


def _contexts(
    cell_line: Sequence[str] | str, modality: Sequence[str] | str, n: int
) -> list[Context]:
    lines, modalities = (
        [values] * n if isinstance(values, str) else [str(v) for v in values]
        for values in (cell_line, modality)
    )
    return [Context(*pair) for pair in zip(lines, modalities, strict=True)]


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
