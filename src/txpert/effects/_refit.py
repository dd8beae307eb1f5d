"""A fit to more or other effects, with the variances of an earlier one."""

from __future__ import annotations

from txpert._types import FloatArray

from ._gene_kernels import GeneKernels
from ._gene_process import GeneGaussianProcess
from ._measured_effects import MeasuredEffects


def refit(
    process: GeneGaussianProcess, effects: MeasuredEffects, kernels: GeneKernels
) -> GeneGaussianProcess:
    """Fit to effects and keep the variances, by which a fit is quick.

    Parameters
    ----------
    process
        The earlier fit.
    effects
        All effects, earlier ones too.
    kernels
        With the targets of the effects as anchors.
    """
    return GeneGaussianProcess.fit(effects, kernels, process.fitted_variances, keep=True)


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
