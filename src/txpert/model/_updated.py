"""Components with further effects, at the variances and weights of training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from txpert._constants import CELL_LINE
from txpert._types import FloatArray
from txpert.data._controls import ControlProfiles
from txpert.effects._contexts import Context
from txpert.effects._contributions import training_effects
from txpert.effects._effects import Effects
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._line_effects import LineEffects
from txpert.effects._measured_effects import MeasuredEffects
from txpert.effects._refit import refit, training_rows

from ._component import GAUSSIAN_PROCESS, MEAN, NETWORK, Component, Training
from ._components import GaussianProcessComponent, MeanComponent, NetworkComponent
from ._ensemble import Ensemble
from ._stacking import Weights


def updated(ensemble: Ensemble, training: Training, kernels: GeneKernels) -> dict[str, Component]:
    """Return the components with new effects; those that are not closed-form stay."""
    found = dict(ensemble.components)
    mean = found.get(MEAN)
    effects = mean.effects if isinstance(mean, MeanComponent) else None
    if isinstance(mean, MeanComponent):
        found[MEAN] = MeanComponent(_joined(mean.effects, training.line_effects))
    network = found.get(NETWORK)
    if isinstance(network, NetworkComponent) and network.network.module.reads == "none":
        found[NETWORK] = _with_offsets(network, effects, training.line_effects)
    process = ensemble.process
    if process is not None:
        cells = _cells(process.process, effects, training.measured.n_cells)
        delta = training_effects(process.process, process.kernels)
        old, new = training_rows(process.process, delta), training.measured
        both = MeasuredEffects.of(
            [*old.targets, *new.targets],
            np.concatenate([old.delta, new.delta]),
            cell_line=[*old.cell_line, *new.cell_line],
            modality=[*old.modality, *new.modality],
            n_cells=[*cells, *new.n_cells],
        )
        targets = pd.Index(sorted({t for names in both.targets for t in names}), dtype=object)
        among = kernels.among(targets)
        found[GAUSSIAN_PROCESS] = GaussianProcessComponent(
            refit(process.process, both, among), among
        )
    return found


def _joined(old: LineEffects, new: LineEffects) -> LineEffects:
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


def _with_offsets(
    network: NetworkComponent, old: LineEffects | None, new: LineEffects
) -> NetworkComponent:
    """Return the network with the mean effects of lines that it was not trained on."""
    unseen = {c for c in new.of_context if old is not None and c not in old.of_context}
    if old is None or not unseen:
        return network
    trained: dict[Context, FloatArray] = dict(network.offsets)
    return replace(network, offsets=trained | {c: new.mean(c) - old.pooled_mean for c in unseen})


def _cells(
    process: GeneGaussianProcess, effects: LineEffects | None, new: FloatArray
) -> list[float]:
    """Return the numbers of cells of training rows, of which a process knows the ratios."""
    noise = process.rows.noise
    if effects is None:
        return (np.median(new.astype(float)) / noise).tolist()
    every = np.concatenate([of.n_cells for of in effects.of_context.values()])
    return (np.median(every) / noise).tolist()


def without_network(weights: Weights) -> Weights:
    """Return weights in which the Gaussian process has that of the network, too."""
    of = dict(weights.of)
    taken = of.pop(NETWORK, 0.0)
    if GAUSSIAN_PROCESS in of:
        of[GAUSSIAN_PROCESS] += taken
    return replace(weights, of=of)


def with_controls(state: dict[str, Any], new: ControlProfiles) -> dict[str, Any]:
    """Return saved control profiles with those of further contexts."""
    old = ControlProfiles.from_dict(state)
    lines = set(old.obs[CELL_LINE].astype(str))
    some = np.array([str(line) not in lines for line in new.obs[CELL_LINE]])
    if not some.any() or old.embedding is not None:
        return state
    columns = list(old.obs.columns.intersection(new.obs.columns))
    obs = pd.concat([old.obs[columns], new.obs.loc[some, columns]], ignore_index=True)
    mean = np.concatenate([old.mean, new.mean[some]])
    return replace(old, obs=obs, mean=mean).to_dict()
