"""Earlier and new effects together, at the variances of training."""

from __future__ import annotations

import numpy as np

from txpert._types import FloatArray
from txpert.effects._contributions import training_effects
from txpert.effects._effects import Effects
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._line_effects import LineEffects
from txpert.effects._measured_effects import MeasuredEffects
from txpert.effects._refit import training_rows


def joined(old: LineEffects, new: LineEffects) -> LineEffects:
    """Return the effects of both."""
    found = dict(old.of_context)
    for context, effects in new.of_context.items():
        if context not in found:
            found[context] = effects
            continue
        before = found[context]
        labels = before.labels.append(effects.labels)
        order = labels.argsort()
        found[context] = Effects(
            labels[order],
            np.concatenate([before.delta, effects.delta])[order],
            np.concatenate([before.n_cells, effects.n_cells])[order],
        )
    return LineEffects(found)


def rows_of(process: GeneGaussianProcess, kernels: GeneKernels) -> MeasuredEffects:
    """Return what a process was fitted to, numbers of cells up to a factor."""
    return training_rows(process, training_effects(process, kernels))


def joined_rows(
    process: GeneGaussianProcess,
    kernels: GeneKernels,
    new: MeasuredEffects,
    effects: LineEffects | None,
) -> MeasuredEffects:
    """Return what a process was fitted to and further effects.

    Parameters
    ----------
    process
        The process.
    kernels
        Its kernels.
    new
        The further effects.
    effects
        Mean effects of the same training, if there are any: they know the numbers of cells.
    """
    old = rows_of(process, kernels)
    return MeasuredEffects.of(
        [*old.targets, *new.targets],
        np.concatenate([old.delta, new.delta]),
        cell_line=[*old.cell_line, *new.cell_line],
        modality=[*old.modality, *new.modality],
        n_cells=[*_cells(process, effects, new.n_cells), *new.n_cells],
    )


def _cells(
    process: GeneGaussianProcess, effects: LineEffects | None, new: FloatArray
) -> list[float]:
    """Return the numbers of cells of training rows, of which a process knows the ratios."""
    noise = process.rows.noise
    if effects is None:
        return (np.median(new.astype(float)) / noise).tolist()
    every = np.concatenate([of.n_cells for of in effects.of_context.values()])
    return (np.median(every) / noise).tolist()
