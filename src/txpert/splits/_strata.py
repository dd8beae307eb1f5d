"""Numbers per perturbation that a split is stratified by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from txpert._constants import CONTROL, PERTURBATION
from txpert.data import ConditionTable
from txpert.data._formats import plain_matrix
from txpert.data._screen import Screen
from txpert.data._tokens import canonical_label

Stratify = Literal["effect_size"] | pd.Series


def stratum_values(screen: Screen, stratify: Stratify) -> dict[str, float]:
    """Return a finite number for each perturbation of a screen.

    Raises
    ------
    ValueError
        If a perturbation has none, or expression is not log-normalized.
    """
    if isinstance(stratify, pd.Series):
        return _from_series(screen, stratify)
    if stratify != "effect_size":
        raise ValueError(
            "stratify takes 'effect_size' or a pandas series from perturbation to number, not "
            f"{stratify!r}."
        )
    screen = replace(screen, X=plain_matrix(screen.X, "adata.X"))
    screen.check_values("adata.X")
    table = ConditionTable.from_screen(screen)
    rows = ~table.obs[CONTROL].to_numpy()
    sizes = pd.Series(np.linalg.norm(table.delta[rows], axis=1).astype(float))
    means = sizes.groupby(table.obs.loc[rows, PERTURBATION].astype(str).to_numpy()).mean()
    return {str(label): float(size) for label, size in means.items()}


def _from_series(screen: Screen, series: pd.Series[Any]) -> dict[str, float]:
    names = [canonical_label(label) for label in series.index.astype(str)]
    given = series.set_axis(names).astype(float).groupby(level=0).mean()
    needed = screen.perturbation.categories.drop(CONTROL)
    found = given.reindex(needed)
    missing = found.index[~np.isfinite(found)]
    if len(missing):
        raise ValueError(
            f"The series to stratify by has no finite number for {len(missing)} of the "
            f"{len(needed)} perturbations, {missing[0]!r} among them. Fill them in, or leave "
            "those perturbations out of adata."
        )
    return {str(label): float(value) for label, value in found.items()}
