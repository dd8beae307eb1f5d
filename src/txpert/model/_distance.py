"""How far a cell line is from those of training."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from scvi import settings

from txpert._constants import CELL_LINE
from txpert._types import FloatArray
from txpert.data._controls import ControlProfiles

from ._ensemble import Ensemble


class UnseenLineWarning(UserWarning):
    """A cell line without training perturbations is predicted."""


def warn_of_unseen_lines(
    ensemble: Ensemble, obs: pd.DataFrame, profiles: ControlProfiles, training: ControlProfiles
) -> None:
    """Warn of cell lines without training perturbations, and say how similar the nearest is.

    Parameters
    ----------
    ensemble
        A trained one.
    obs
        Conditions asked for.
    profiles
        Control profiles that they are predicted from.
    training
        Control profiles of training.
    """
    known = {context.cell_line for context in ensemble.labels}
    unseen = sorted(set(obs[CELL_LINE].astype(str)) - known)
    if not unseen or not known:
        return
    of_known = _by_line(training, known)
    for line in unseen:
        nearest = _nearest(_by_line(profiles, {line}).get(line), of_known)
        warnings.warn(
            f"{line} was not in training: only what its perturbations have in common with those "
            f"of {', '.join(sorted(known))} is predicted{nearest}.",
            UnseenLineWarning,
            stacklevel=settings.warnings_stacklevel,
        )


def _nearest(profile: FloatArray | None, others: dict[str, FloatArray]) -> str:
    """Say which line has the most similar controls; nothing where controls say nothing."""
    if profile is None or not np.ptp(profile):
        return ""
    found = {
        name: float(np.corrcoef(profile, other)[0, 1])
        for name, other in others.items()
        if np.ptp(other)
    }
    if not found:
        return ""
    name = max(found, key=lambda key: found[key])
    return f"; its controls correlate by {found[name]:.2f} with those of {name}, the nearest line"


def _by_line(profiles: ControlProfiles, lines: set[str]) -> dict[str, FloatArray]:
    """Return the mean control profile of each line."""
    pooled = profiles.filled().over_batches()
    names = pooled.obs[CELL_LINE].astype(str)
    return {
        name: profile for name, profile in zip(names, pooled.mean, strict=True) if name in lines
    }
