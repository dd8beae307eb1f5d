"""Components with further effects or on other graphs, at the weights of training."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scvi import settings

from txpert._constants import CELL_LINE
from txpert.data._controls import ControlProfiles

from ._component import GAUSSIAN_PROCESS, NETWORK, Component, Sources, Training
from ._ensemble import Ensemble
from ._stacking import Weights


def updated(ensemble: Ensemble, training: Training, sources: Sources) -> dict[str, Component]:
    """Return the components with new effects; warn of those that do not learn them."""
    found = {}
    for name, component in ensemble.components.items():
        learned = component.updated(training, sources)
        if learned is None:
            warnings.warn(
                f"The component {name!r} does not learn from update() and stays as it was "
                "trained.",
                UserWarning,
                stacklevel=settings.warnings_stacklevel,
            )
        found[name] = component if learned is None else learned
    return found


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
