"""What a fitted Gaussian process predicts: means and spreads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.linalg import blas
from tqdm.auto import tqdm

from txpert._accelerator import product
from txpert._constants import ALL
from txpert._types import FloatArray

from ._asked import Asked
from ._cholesky import factorized
from ._contexts import Context, paired
from ._covariance import Rows
from ._directions import Directions
from ._gene_kernels import GeneKernels
from ._layout import Layout, Variances
from ._scratch import Scratch

SINGLE = 2_000
"""Rows from which on the covariance is in single precision, and not kept."""
_CHUNK = 2_048
_PATIENCE = 2.0
"""Seconds after which a progress bar is shown."""


class Posterior(NamedTuple):
    """What is predicted of effects.

    Attributes
    ----------
    mean
        Posterior mean of Δ, ``(n_asked, n_genes)``; ``None`` if not asked for.
    std
        Standard deviation of a measurement of Δ around it, with the median number of cells;
        ``None`` if not asked for.
    specific
        Fraction of the prior variance of what is specific to the perturbation that the posterior
        explains, ``(n_asked,)``; 0 where only the common effect is known. ``None`` if not asked
        for.
    """

    mean: FloatArray | None
    std: FloatArray | None = None
    specific: FloatArray | None = None


class Predicting:
    """Predictions of a process; its fields are those of ``GeneGaussianProcess``."""

    rows: Rows
    kernels: list[str]
    log_variances: FloatArray
    directions: Directions
    mean: list[FloatArray]
    weights: list[FloatArray]
    noise: FloatArray
    scale: dict[str, float]
    _inverses: list[FloatArray]

    @property
    def knows_spread(self) -> bool:
        """Whether the spread of predictions costs little: the inverses are small."""
        return len(self.rows) <= SINGLE

    @cached_property
    def variances(self) -> list[Variances]:
        """By block."""
        factors = self.rows.factors
        layout = Layout(len(self.kernels), len(factors), factors.shape[1])
        return [layout.read(x) for x in self.log_variances]

    def predict(
        self,
        targets: Sequence[tuple[str, ...]],
        kernels: GeneKernels,
        *,
        cell_line: Sequence[str] | str = ALL,
        modality: Sequence[str] | str = ALL,
        return_mean: bool = True,
        return_std: bool = False,
        return_specific: bool = False,
    ) -> Posterior:
        """Predict effects of perturbations, the sum over their targets.

        A progress bar is shown once that takes longer than two seconds.

        Parameters
        ----------
        targets
            Target genes of each perturbation, any genes.
        kernels
            Those of the fit.
        cell_line, modality
            Context of each perturbation, or of all. Of an unseen one, what all share is known.
        return_mean, return_std, return_specific
            What to return. The targets of a combination are taken to be independent in the
            latter two.
        """
        contexts = _contexts(cell_line, modality, len(targets))
        shape = len(targets), self.noise.shape[1]
        mean = np.empty(shape, dtype=np.float32) if return_mean else None
        std = np.empty(shape, dtype=np.float32) if return_std else None
        known = np.empty(len(targets)) if return_specific or return_std else None
        scale = np.array([self.scale.get(c.modality, 1.0) for c in contexts], np.float32)
        scaled = bool((scale != 1).any())
        axes = self.directions.axes.astype(np.float32)
        weights = np.array([v.kernels for v in self.variances])
        bar = tqdm(total=len(targets), unit="gene", delay=_PATIENCE, leave=False, disable=None)
        with ExitStack() as held, bar:
            inverses = self._held_inverses(kernels, held) if known is not None else None
            for first in range(0, len(targets), _CHUNK):
                some = slice(first, first + _CHUNK)
                genes = pd.Index([t for names in targets[some] for t in names], dtype=object)
                asked = Asked.of(self.rows, targets[some], genes.unique(), contexts[some])
                mixtures = kernels.mixtures(genes.unique(), self.rows.targets, weights)
                specific = [
                    asked.specific(v, mixture)
                    for v, mixture in zip(self.variances, mixtures, strict=True)
                ]
                if mean is not None:
                    self._add_mean(asked, specific, axes, mean[some])
                if known is not None and inverses is not None:
                    of_std = None if std is None else std[some]
                    known[some] = self._spread(asked, specific, inverses(), of_std)
                for values in (mean, std):
                    if values is not None and scaled:
                        values[some] *= scale[some, None]
                bar.update(len(targets[some]))
        return Posterior(mean, std, known)

    def _add_mean(
        self, asked: Asked, specific: list[FloatArray], axes: FloatArray, found: FloatArray
    ) -> None:
        """Write the posterior mean of some perturbations, in units of the scale."""
        shared, coordinates = [], []
        for v, mean, weights, covariance in zip(
            self.variances, self.mean, self.weights, specific, strict=True
        ):
            of_context = mean + asked.general(v) @ weights
            shared.append(of_context)
            if len(shared) < len(self.weights):
                part = product(covariance, weights)
                coordinates.append(part + asked.order[:, None] * of_context[asked.context])
        product(specific[-1], self.weights[-1], out=found)
        in_context = np.zeros((len(found), len(asked.contexts)), dtype=np.float32)
        in_context[np.arange(len(found)), asked.context] = asked.order
        factors = np.concatenate([in_context, *coordinates], axis=1)
        _add_product(found, factors, np.concatenate([shared[-1], axes]))

    def _spread(
        self,
        asked: Asked,
        specific: list[FloatArray],
        inverses: Iterator[FloatArray],
        std: FloatArray | None,
    ) -> FloatArray:
        """Return the fraction of specific variance explained; write the standard deviation."""
        n, sizes = len(asked.order), self.noise.sum(axis=1, dtype=float)
        known, prior = np.zeros(n), np.zeros(n)
        left = np.empty((n, len(sizes)), dtype=np.float32)
        order = self.rows.order.astype(np.float32)
        for block, (v, covariance, inverse) in enumerate(
            zip(self.variances, specific, inverses, strict=True)
        ):
            solved = product(covariance, inverse)
            explained = np.einsum("ij,ij->i", solved, covariance)
            known += sizes[block] * explained
            prior += sizes[block] * asked.prior(v)
            if std is None:
                continue
            along = inverse @ order
            general = asked.general(v)[asked.context] * asked.order[:, None]
            both = covariance + general
            beyond = asked.order - both @ along
            of_both = explained + np.einsum("ij,ij->i", solved, general) * 2
            of_both += np.einsum("ij,ij->i", general @ inverse, general)
            rest = asked.prior(v) + asked.prior_of_mean(v) - of_both
            left[:, block] = rest.clip(0) + beyond**2 / (order @ along) + asked.noise(v)
        if std is not None:
            np.sqrt(np.matmul(left, self.noise, out=std), out=std)
        return np.divide(known, prior, out=np.zeros(n), where=prior > 0).clip(0, 1)

    def _covariances(self, kernels: GeneKernels) -> Iterator[FloatArray]:
        """Yield the covariance of training rows by block; one of many is held in memory."""
        targets, variances = self.rows.targets, self.variances
        weights = np.array([v.kernels for v in variances])
        if len(self.rows) <= SINGLE:
            mixtures = kernels.mixtures(targets, targets, weights)
            for v, mixture in zip(variances, mixtures, strict=True):
                yield self.rows.covariance(v, mixture.astype(np.float64))
            return
        with Scratch(len(variances), len(targets)) as scratch:
            for rows, mixed in kernels.mixed_rows(targets, targets, weights):
                scratch.write(rows, mixed)
            for block, v in enumerate(variances):
                yield self.rows.covariance(v, scratch.read(block))

    def _inverse_blocks(self, kernels: GeneKernels) -> Iterator[FloatArray]:
        """Yield inverses of covariances by block, in single precision; small ones are kept."""
        inverses = (
            factorized(covariance).inverse().astype(np.float32, copy=False)
            for covariance in self._covariances(kernels)
        )
        if not self.knows_spread:
            yield from inverses
            return
        if not self._inverses:
            self._inverses.extend([*inverses])
        yield from self._inverses

    def _held_inverses(
        self, kernels: GeneKernels, held: ExitStack
    ) -> Callable[[], Iterator[FloatArray]]:
        """Return what yields the inverses again and again; large ones lie on disk meanwhile."""
        if self.knows_spread:
            return lambda: self._inverse_blocks(kernels)
        scratch = held.enter_context(Scratch(len(self.variances), len(self.rows)))
        for block, inverse in enumerate(self._inverse_blocks(kernels)):
            scratch.write_one(block, inverse)
        return lambda: (scratch.read(block) for block in range(scratch.number))


def _add_product(total: FloatArray, left: FloatArray, right: FloatArray) -> None:
    """Add a matrix product in place."""
    blas.sgemm(1.0, right.T, left.T, beta=1.0, c=total.T, overwrite_c=True)


def _contexts(
    cell_line: Sequence[str] | str, modality: Sequence[str] | str, n: int
) -> list[Context]:
    lines, modalities = (
        [values] * n if isinstance(values, str) else [str(v) for v in values]
        for values in (cell_line, modality)
    )
    return paired(lines, modalities)
