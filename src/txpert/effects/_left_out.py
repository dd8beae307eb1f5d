"""Each training row predicted from the others, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from txpert._accelerator import product
from txpert._types import FloatArray

from ._contributions import deviations, row_scale, training_effects
from ._covariance import Rows
from ._gene_kernels import GeneKernels
from ._gene_process import GeneGaussianProcess
from ._layout import Variances

Leave = Literal["row", "perturbation"]


@dataclass(frozen=True)
class LeftOut:
    r"""Training rows, each predicted without itself.

    .. math:: \hat y_J = y_J - (P_{JJ})^{-1} [P Y]_J, \qquad
              P = C^{-1} - C^{-1} u (u^\top C^{-1} u)^{-1} u^\top C^{-1}

    without the rows J, with the variance :math:`\sigma^2 (P_{JJ})^{-1}` of the error. Variances
    and directions stay those of all rows.

    Attributes
    ----------
    predicted, observed
        Δ, ``(n_rows, n_genes)``. Missing entries are predicted too, and observed as imputed.
    std
        Standard deviation of the difference, ``(n_rows, n_genes)``.
    specific
        Fraction of the prior variance of what is specific to the perturbation that the other rows
        explain, ``(n_rows,)``.
    support
        Largest prior correlation with a row that is not left out, ``(n_rows,)``.
    """

    predicted: FloatArray
    observed: FloatArray
    std: FloatArray
    specific: FloatArray
    support: FloatArray

    @classmethod
    def of(
        cls, process: GeneGaussianProcess, kernels: GeneKernels, leave: Leave = "row"
    ) -> LeftOut:
        """Leave rows out.

        Parameters
        ----------
        process
            A process.
        kernels
            Those of its fit.
        leave
            What to leave out besides the row: nothing, or all rows that share a target with it.
        """
        groups = left_out_with(process.rows, leave)
        order = process.rows.order
        errors, variance = [], np.zeros((len(order), process.noise.shape[1]))
        known, prior = np.zeros(len(order)), np.zeros(len(order))
        support = np.zeros(len(order))
        blocks = zip(
            process.variances,
            process._inverse_blocks(kernels),
            deviations(process, kernels),
            strict=True,
        )
        for block, (v, inverse, y) in enumerate(blocks):
            along = inverse @ order
            projector = inverse - np.outer(along, along) / (order @ along)
            error, spread = _errors(projector, product(projector, y), groups)
            errors.append(error)
            variance += np.outer(spread, process.noise[block])
            size = float(process.noise[block].sum())
            specific = _specific(process, kernels, v)
            own = order * v.of_one_target * process.rows.amplitude(v) ** 2
            known += size * _explained(specific, inverse, groups)
            prior += size * own
            correlation = specific / np.sqrt(np.maximum(np.outer(own, own), 1e-12))
            for i, rows in enumerate(groups):
                correlation[i, rows] = 0
            support = np.maximum(support, correlation.max(axis=1))
        scale = row_scale(process)
        observed = training_effects(process, kernels)
        return cls(
            observed - scale * process.directions.join(errors),
            observed,
            np.asarray(scale * np.sqrt(variance), dtype=np.float32),
            np.divide(known, prior, out=np.zeros_like(known), where=prior > 0).clip(0, 1),
            support,
        )


def left_out_with(rows: Rows, leave: Leave) -> list[list[int]]:
    """Return the rows that are left out with each, itself among them."""
    if leave == "row":
        return [[i] for i in range(len(rows))]
    return [list(found) for found in (rows.members @ rows.members.T).tolil().rows]


def _errors(
    projector: FloatArray, projected: FloatArray, groups: list[list[int]]
) -> tuple[FloatArray, FloatArray]:
    """Return the errors of rows, and their variances in units of the noise."""
    error, spread = np.empty_like(projected), np.empty(len(projected))
    for i, rows in enumerate(groups):
        if len(rows) == 1:
            own = max(float(projector[i, i]), 1e-9)
            error[i], spread[i] = projected[i] / own, 1 / own
            continue
        # Without all rows of a mean effect the mean is not determined: the pseudoinverse.
        inverse = np.linalg.pinv(projector[np.ix_(rows, rows)].astype(float), rcond=1e-6)
        at = rows.index(i)
        error[i], spread[i] = inverse[at] @ projected[rows], inverse[at, at]
    return error, spread


def _specific(process: GeneGaussianProcess, kernels: GeneKernels, v: Variances) -> FloatArray:
    """Return the covariance of training rows through kernels and own parts."""
    targets = process.rows.targets
    (mixture,) = kernels.mixtures(targets, targets, v.kernels[None])
    return process.rows.signal(v, mixture)


def _explained(specific: FloatArray, inverse: FloatArray, groups: list[list[int]]) -> FloatArray:
    """Return the variance of each row that rows outside its group explain, ``(n_rows,)``."""
    if all(len(rows) == 1 for rows in groups):
        rest = specific - np.diag(np.diagonal(specific))
        solved = inverse @ rest
        left = np.diagonal(solved) ** 2 / np.maximum(np.diagonal(inverse), 1e-9)
        return np.einsum("ij,ji->i", rest, solved) - left
    found = np.empty(len(groups))
    for i, rows in enumerate(groups):
        rest = specific[i].copy()
        rest[rows] = 0
        solved = inverse @ rest
        among = inverse[np.ix_(rows, rows)].astype(float)
        found[i] = rest @ solved - solved[rows] @ np.linalg.solve(among, solved[rows])
    return found
