"""Whether the guides of one gene do the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._analysis._effects import effect_size
from txpert._constants import CELL_LINE, CONTROL, N_CELLS, PERTURBATION
from txpert._types import FloatArray
from txpert.data import ConditionTable
from txpert.data._batches import average_over_batches
from txpert.data._labels import read_names
from txpert.data._screen import Screen
from txpert.metrics import pearson_delta

from ._screen_effects import de_genes

GUIDE = "guide"


def guide_table(adata: AnnData, screen: Screen, key: str) -> pd.DataFrame:
    """Compare each guide with the other guides of its perturbation.

    Parameters
    ----------
    adata
        The cells.
    screen
        The same cells, read.
    key
        obs column of the guide of each cell; that of control cells is not looked at.

    Returns
    -------
    One row per guide × cell line: guide, perturbation, cell_line, n_cells, effect_size, n_de, and
    ``r_others``, the correlation of its Δ with the mean Δ of the others, weighted by cells; NaN
    for an only guide.

    Raises
    ------
    KeyError
        If there is no such column.
    ValueError
        If a cell has no guide, or a guide stands for two perturbations.
    """
    if key not in adata.obs:
        raise KeyError(
            f"adata.obs has no column {key!r} (guide_key). It has: "
            f"{', '.join(map(str, adata.obs.columns))}."
        )
    column = adata.obs[key].astype(object).where(~screen.control, CONTROL)
    guides = read_names(column)
    gene_of = _genes(guides, screen)
    own = replace(screen, perturbation=guides, split=None)
    table = ConditionTable.from_screen(own)
    perturbed = table.subset(~table.obs[CONTROL].to_numpy(dtype=bool))
    delta, obs = average_over_batches(perturbed.delta, perturbed.obs)
    obs = obs.astype({PERTURBATION: str, CELL_LINE: str})
    found = obs[[PERTURBATION, CELL_LINE, N_CELLS]].rename(columns={PERTURBATION: GUIDE})
    found.insert(1, PERTURBATION, found[GUIDE].map(gene_of))
    found["effect_size"] = effect_size(delta)
    found["n_de"] = de_genes(own, delta, obs)
    found["r_others"] = _agreement(delta, found)
    order = found.sort_values([CELL_LINE, PERTURBATION, GUIDE], kind="stable")
    return order.reset_index(drop=True)


def _genes(guides: pd.Categorical, screen: Screen) -> dict[str, str]:
    """Return the perturbation of each guide."""
    both = pd.DataFrame({GUIDE: guides, PERTURBATION: screen.perturbation})[~screen.control]
    both = both.astype(str).drop_duplicates()
    twice = both[both[GUIDE].duplicated(keep=False)]
    if len(twice):
        name = twice[GUIDE].iloc[0]
        genes = ", ".join(twice.loc[twice[GUIDE] == name, PERTURBATION])
        raise ValueError(
            f"The guide {name!r} (guide_key) stands for {genes}; a guide has one perturbation."
        )
    return dict(zip(both[GUIDE], both[PERTURBATION], strict=True))


def _agreement(delta: FloatArray, obs: pd.DataFrame) -> FloatArray:
    """Correlate each guide's Δ with the mean Δ of the others of its perturbation and line."""
    others = np.full(delta.shape, np.nan)
    n_cells = obs[N_CELLS].to_numpy(dtype=float)
    for rows in obs.groupby([PERTURBATION, CELL_LINE]).indices.values():
        for row in rows if len(rows) > 1 else ():
            rest = rows[rows != row]
            others[row] = np.average(delta[rest], axis=0, weights=n_cells[rest])
    known = np.isfinite(others).any(axis=1)
    found = np.full(len(obs), np.nan)
    found[known] = pearson_delta(delta[known], others[known])
    return found
