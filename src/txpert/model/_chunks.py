"""Predicting many conditions, some at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from txpert._types import FloatArray, IntArray
from txpert.data._controls import ControlProfiles

from ._ensemble import Ensemble

_MOST_CONDITIONS, _MOST_ENTRIES = 4_096, 8_000_000
"""Conditions, and entries of their Δ, that are predicted between two steps of the progress bar."""
_PATIENCE = 2.0
"""Seconds after which a progress bar is shown."""


def in_chunks(
    ensemble: Ensemble, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray
) -> tuple[FloatArray, pd.DataFrame]:
    """Return what :meth:`Ensemble.delta` does, some conditions at a time.

    A progress bar is shown once that takes longer than two seconds.
    """
    size = max(1, min(_MOST_CONDITIONS, _MOST_ENTRIES // len(profiles.genes)))
    if len(obs) <= size:
        return ensemble.delta(obs, profiles, context)
    found = np.empty((len(obs), len(profiles.genes)), dtype=np.float32)
    sizes = []
    with tqdm(
        total=len(obs), desc="Predicting", unit="condition", delay=_PATIENCE, leave=False
    ) as bar:
        for start in range(0, len(obs), size):
            rows = slice(start, start + size)
            norms = ensemble.delta(obs.iloc[rows], profiles, context[rows], out=found[rows])[1]
            sizes.append(norms)
            bar.update(len(norms))
    return found, pd.concat(sizes, ignore_index=True)
