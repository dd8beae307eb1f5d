"""Which conditions a prediction has, one per cell line or one per batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from txpert._constants import ALL, BATCH, CELL_LINE
from txpert._types import IntArray

from ._controls import ControlProfiles

Layout = tuple[ControlProfiles, pd.DataFrame, IntArray]


def lay_out(
    profiles: ControlProfiles,
    perturbations: str | Sequence[str] | pd.DataFrame,
    *,
    cell_line: str | Sequence[str] | None = None,
    batch: str | Sequence[str] | None = None,
    by_batch: bool = False,
) -> Layout:
    """Return control profiles, the conditions of a prediction, and the profile of each.

    Parameters
    ----------
    profiles
        Mean control profile of each context.
    perturbations
        Labels, or a frame with perturbation, cell_line (where there are several) and, unless the
        row stands for a whole cell line, batch.
    cell_line, batch
        Only contexts of these; of labels.
    by_batch
        Labels are predicted in every batch; otherwise once per cell line (and modality that
        batches are of), from the mean over all controls of its batches.

    Raises
    ------
    KeyError
        If a context asked for has no control profile, or a column is missing.
    ValueError
        If a frame is given, and also where to predict it.
    """
    if isinstance(perturbations, pd.DataFrame):
        frame = perturbations
        where = {CELL_LINE: cell_line is not None, BATCH: batch is not None, "by_batch": by_batch}
        given = [name for name, is_given in where.items() if is_given]
        if given:
            raise ValueError(
                f"{given[0]} is for labels: a frame of conditions says where each is predicted. "
                f"Leave {given[0]} out and write the frame's columns cell_line and batch."
            )
        if BATCH not in frame:
            frame = frame.assign(**{BATCH: ALL})
        if (frame[BATCH].astype(str) == ALL).any():
            profiles = profiles.with_lines()
        return profiles, *profiles.conditions(frame)
    if not by_batch:
        profiles = over_batches(profiles.subset(profiles.among(cell_line, batch)))
        cell_line = batch = None
    found = profiles.conditions(perturbations, cell_line=cell_line, batch=batch)
    return profiles, *found


def over_batches(profiles: ControlProfiles) -> ControlProfiles:
    """Average over the batches of each cell line and modality; one alone keeps its name."""
    pools = profiles.pools("cell_line", modalities_apart=True)
    whole = profiles.over_batches(modalities_apart=True)
    batches = profiles.obs[BATCH].astype(str).to_numpy()
    alone = np.bincount(pools) == 1
    first = batches[np.unique(pools, return_index=True)[1]]
    return whole.renamed_batches(np.where(alone, first, ALL))
