"""A fit to more or other effects, with the variances of an earlier one."""

from __future__ import annotations

import numpy as np

from txpert._types import FloatArray

from ._contexts import Context, ContextFactors
from ._covariance import Rows
from ._directions import Directions
from ._gene_kernels import GeneKernels
from ._gene_process import GeneGaussianProcess, _scales
from ._measured_effects import MeasuredEffects
from ._missing import context_means, first_guess

_ABSENT = -30.0
"""Log variance of a kernel that the earlier fit did not have."""


def refit(
    process: GeneGaussianProcess, effects: MeasuredEffects, kernels: GeneKernels
) -> GeneGaussianProcess:
    """Fit to effects and keep the variances, by which a fit is quick.

    Blocks of directions that the earlier fit did not have take the variances of its last one, new
    contexts the mean noise of the others.

    Parameters
    ----------
    process
        The earlier fit.
    effects
        All effects, earlier ones too.
    kernels
        With the targets of the effects as anchors.
    """
    found = carried(process, effects, kernels.names)
    return GeneGaussianProcess.fit(effects, kernels, found)


def carried(
    process: GeneGaussianProcess, effects: MeasuredEffects, kernels: list[str]
) -> FloatArray:
    """Return log variances for other effects, ``(n_blocks, n_parameters)``."""
    contexts = [Context(*pair) for pair in zip(effects.cell_line, effects.modality, strict=True)]
    rows = Rows.of(effects.targets, contexts, effects.n_cells)
    n_blocks = len(_directions(rows, effects).n_components)
    last = len(process.log_variances) - 1
    of_block = [min(block, max(last - 1, 0)) for block in range(n_blocks - 1)] + [last]
    return np.array(
        [_translated(process, process.log_variances[b], kernels, rows.contexts) for b in of_block]
    )


def _directions(rows: Rows, effects: MeasuredEffects) -> Directions:
    """Return the directions that a fit will find."""
    scale = _scales(effects)
    y = effects.delta / np.array([scale[str(m)] for m in effects.modality])[:, None]
    if np.isnan(y).any():
        y = first_guess(y, rows.context)
    return Directions.of(y - context_means(y, rows.context))


def _translated(
    process: GeneGaussianProcess, x: FloatArray, kernels: list[str], contexts: ContextFactors
) -> FloatArray:
    """Return the log variances of a block in the layout of other kernels and contexts."""
    old = process.rows.contexts
    k, extra = len(process.kernels), len(old.names) - 1
    at = np.cumsum([1, k, extra, 1, extra, extra])
    total, of_kernel, context, own, own_context, mean, noise = np.split(x, at)
    by_kernel = dict(zip(process.kernels, of_kernel, strict=True))
    expected = dict(zip(contexts.names, np.log(contexts.expected), strict=True))

    def of_factors(values: FloatArray, otherwise: dict[str, float]) -> FloatArray:
        known = dict(zip(old.names[1:], values, strict=True))
        return np.array([known.get(name, otherwise[name]) for name in contexts.names[1:]])

    by_context = dict(zip(old.contexts, noise, strict=True)) if len(noise) else {}
    usual = float(np.mean(noise)) if len(noise) else 0.0
    several = len(contexts.contexts) > 1
    return np.concatenate(
        [
            total,
            [by_kernel.get(name, _ABSENT) for name in kernels],
            of_factors(context, expected),
            own,
            of_factors(own_context, expected),
            of_factors(mean, dict.fromkeys(contexts.names, 0.0)),
            [by_context.get(c, usual) for c in contexts.contexts] if several else [],
        ]
    )


def training_rows(process: GeneGaussianProcess, delta: FloatArray) -> MeasuredEffects:
    """Return the training rows of a process as effects, numbers of cells up to a factor."""
    rows = process.rows
    members = rows.members.tocsr()
    targets = []
    for row in range(len(rows)):
        some = slice(members.indptr[row], members.indptr[row + 1])
        targets.append(tuple(sorted(rows.targets[members.indices[some]])))
    contexts = [rows.contexts.contexts[c] for c in rows.context]
    return MeasuredEffects.of(
        targets,
        delta,
        cell_line=[context.cell_line for context in contexts],
        modality=[context.modality for context in contexts],
        n_cells=(1 / rows.noise).tolist(),
    )
