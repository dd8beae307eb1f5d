"""From the answer of a run to its rows in the tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from txpert._constants import CELL_LINE, PERTURBATION
from txpert.evaluation._check import score_prediction
from txpert.evaluation._metrics import score_names
from txpert.evaluation._scoring import HeldOut
from txpert.evaluation._warnings import warn_of_copies

from ._folds import GROUP, Bench, Fold
from ._processes import Run
from ._run import Answer, describe
from ._summary import UNDEFINED

_HEAD = ["model", "seed", "fold", PERTURBATION, CELL_LINE, "n_cells", GROUP]


def scored(bench: Bench, run: Run, answer: Answer) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return a run's row and its scores, one row per perturbation × cell line.

    A run that failed has scores too, all of them undefined for the same reason.
    """
    held_out = bench.held_out(run.fold)
    table = None
    if answer.delta is not None:
        try:
            table = score_prediction(held_out, answer.delta)
            warn_of_copies(held_out, run.model, answer.delta, stacklevel=5)
        except ValueError as error:
            answer = replace(answer, delta=None, reason=describe(error))
    if table is None:
        table = _without_scores(held_out, answer.reason)
    names: dict[str, Any] = {"model": run.model, "seed": run.fold.seed, "fold": run.fold.name}
    for name, value in (names | {GROUP: _groups(bench, run.fold, held_out)}).items():
        table[name] = value
    # As in a stored run: whatever type pandas gives to text.
    table = table[[*_HEAD, *score_names(), UNDEFINED]].astype({PERTURBATION: str, CELL_LINE: str})
    record = names | {
        "status": "failed" if answer.delta is None else "done",
        "reason": answer.reason,
        "seconds": answer.seconds,
        "peak_memory_mb": answer.peak_memory_mb,
        "n_perturbations": len(table),
        "n_undefined": int(table["pearson_delta"].isna().sum()),
        "split_sha256": run.fold.sha256,
    }
    return record, table


def _without_scores(held_out: HeldOut, reason: str) -> pd.DataFrame:
    table = held_out.obs.copy()
    table[score_names()] = np.nan
    return table.assign(**{UNDEFINED: f"the run failed: {reason}"})


def _groups(bench: Bench, fold: Fold, held_out: HeldOut) -> list[str]:
    """Return the group of each observation; the batches of one share it."""
    obs = bench.table.obs
    names = zip(obs[PERTURBATION].astype(str), obs[CELL_LINE].astype(str), strict=True)
    found = {name: g for name, g in zip(names, fold.group, strict=True) if g is not None}
    pairs = zip(held_out.obs[PERTURBATION], held_out.obs[CELL_LINE], strict=True)
    return [str(found.get((str(p), str(line)), "")) for p, line in pairs]
