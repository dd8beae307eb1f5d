"""What each training row and each kernel contributes to a prediction of the Gaussian process."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from txpert._types import FloatArray

from ._asked import Asked
from ._contexts import Context
from ._gene_kernels import GeneKernels
from ._gene_process import GeneGaussianProcess

OWN, OF_CONTEXT = "own part", "mean of the context"


@dataclass(frozen=True)
class Contributions:
    r"""The prediction of one perturbation as a sum over training rows, kernels and the mean.

    The posterior mean is linear in the training effects Y. In each block of directions

    .. math:: \hat y = |P|\, b + \sum_k \sum_i [k_k P]_i \, (y_i - u_i b), \qquad
              P = C^{-1} - C^{-1} u (u^\top C^{-1} u)^{-1} u^\top C^{-1}

    with the covariance :math:`k_k` through kernel k, of which the own part and the mean effects of
    contexts are two more. Directions of different blocks are orthogonal, so that projections and
    norms need one number by row and block.

    Attributes
    ----------
    process
        The process.
    parts
        Names of the kernels, ``"own part"`` and ``"mean of the context"``.
    weights
        By block, part and row, ``(n_blocks, n_parts, n_rows)``.
    deviations
        :math:`y_i - u_i b` by block, in the units of the prediction.
    mean
        :math:`|P|\, b`, ``(n_genes,)``.
    removal
        By how much the prediction changes without a row, as a multiple of ``errors``,
        ``(n_blocks, n_rows)``: exactly, as long as variances and directions stay.
    errors
        By block, weights of the rows in the posterior mean.
    """

    process: GeneGaussianProcess
    parts: list[str]
    weights: FloatArray
    deviations: list[FloatArray]
    mean: FloatArray
    removal: FloatArray
    errors: list[FloatArray]

    @classmethod
    def of(
        cls,
        process: GeneGaussianProcess,
        kernels: GeneKernels,
        targets: tuple[str, ...],
        context: Context,
    ) -> Contributions:
        """Take the prediction of a perturbation apart."""
        rows = process.rows
        genes = pd.Index(sorted(set(targets)), dtype=object)
        asked = Asked.of(rows, [targets], genes, [context])
        between = kernels.between(genes, rows.targets)
        order, number = rows.order.astype(np.float32), float(asked.order[0])
        scale = np.float32(process.scale.get(context.modality, 1.0))
        weights, removal = [], []
        for v, inverse in zip(process.variances, process._inverse_blocks(kernels), strict=True):
            covariance = asked.parts(v, between)[:, 0]
            along = inverse @ order
            precision = order @ along
            projected = covariance @ inverse - np.outer(covariance @ along, along) / precision
            own = np.maximum(np.diagonal(inverse) - along**2 / precision, 1e-9)
            weights.append(projected)
            removal.append(-scale * (projected.sum(axis=0) + number * along / precision) / own)
        mean = [number * scale * block for block in process.mean]
        return cls(
            process,
            [*process.kernels, OWN, OF_CONTEXT],
            np.stack(weights),
            [scale * block for block in deviations(process, kernels)],
            process.directions.join([block[None] for block in mean])[0],
            np.stack(removal),
            process.weights,
        )

    def effect(self, weights: FloatArray) -> FloatArray:
        """Return the weighted sum of the rows' deviations, ``(n_genes,)``.

        Parameters
        ----------
        weights
            By block and row, such as a sum of :attr:`weights` over parts.
        """
        sums = [w @ y for w, y in zip(weights, self.deviations, strict=True)]
        return self.process.directions.join([block[None] for block in sums])[0]

    def along(self, direction: FloatArray) -> FloatArray:
        """Return projections on a direction of genes by part and row, ``(n_parts, n_rows)``."""
        axes, edges = self.process.directions.axes, self.process.directions.edges
        inner = [axes[a:b] @ direction for a, b in pairwise(edges)]
        each = [y @ x for y, x in zip(self.deviations, [*inner, direction], strict=True)]
        return np.einsum("bki,bi->ki", self.weights, np.stack(each))

    @property
    def norms(self) -> FloatArray:
        """Norm of what each row contributes through all parts, ``(n_rows,)``."""
        return _norms(self.weights.sum(axis=1), self.deviations)

    @property
    def if_removed(self) -> FloatArray:
        """Norm of the change of the prediction without each row, ``(n_rows,)``."""
        return _norms(self.removal, self.errors)

    @property
    def mean_weights(self) -> FloatArray:
        """Least-squares weight of each row's deviation in the prediction, ``(n_rows,)``."""
        squares = np.stack([(y**2).sum(axis=1) for y in self.deviations])
        total = (self.weights.sum(axis=1) * squares).sum(axis=0)
        size = squares.sum(axis=0)
        return np.divide(total, size, out=np.zeros_like(total), where=size > 0)


def deviations(process: GeneGaussianProcess, kernels: GeneKernels) -> list[FloatArray]:
    """Return the training effects less the mean effect by block, in units of the scale.

    They are C times the weights, so that a loaded process has them, too; missing entries are as
    imputed.
    """
    if not process._effects:
        found = zip(process._covariances(kernels), process.weights, strict=True)
        return [np.asarray(c @ w, dtype=np.float32) for c, w in found]
    blocks = process.directions.split(process._effects[0])
    return [
        (block - np.outer(process.rows.order, mean)).astype(np.float32)
        for block, mean in zip(blocks, process.mean, strict=True)
    ]


def training_effects(process: GeneGaussianProcess, kernels: GeneKernels) -> FloatArray:
    """Return Δ of the training rows, ``(n_rows, n_genes)``; missing entries are as imputed."""
    order = process.rows.order
    blocks = [
        block + np.outer(order, mean)
        for block, mean in zip(deviations(process, kernels), process.mean, strict=True)
    ]
    return np.asarray(process.directions.join(blocks) * row_scale(process), dtype=np.float32)


def row_scale(process: GeneGaussianProcess) -> FloatArray:
    """Return what the effects of each row were divided by, ``(n_rows, 1)``."""
    contexts = process.rows.contexts.contexts
    scale = [process.scale[contexts[c].modality] for c in process.rows.context]
    return np.array(scale, dtype=np.float32)[:, None]


def _norms(weights: FloatArray, blocks: list[FloatArray]) -> FloatArray:
    squares = np.stack([(y**2).sum(axis=1) for y in blocks])
    return np.asarray(np.sqrt((weights**2 * squares).sum(axis=0)))
