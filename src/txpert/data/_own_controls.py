"""A user's own control cells as what a prediction starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from txpert._constants import BATCH, CELL_LINE, CONTROL, MODALITY, N_CELLS
from txpert._types import FloatArray, IntArray

from ._controls import ControlProfiles, gene_columns
from ._group_sums import group_sums, weighted_group_means
from ._keys import obs_columns
from ._labels import read_context, read_flags
from ._matrix import expression_matrix
from ._scale import refuse_other_sum, sum_of_cells
from ._values import ValueCheck, check_log_normalized

Embed = Callable[[AnnData | MuData, IntArray], FloatArray]
"""Returns the embedding of some cells (by position), ``(n_cells, n_embedding)``."""
_WHERE = "The control cells' expression"


def chosen_controls(
    profiles: ControlProfiles,
    controls: AnnData | ControlProfiles | None,
    keys: Mapping[str, str | None],
    layer: str | None,
    embed: Embed | None = None,
    normalized_to: float | None = None,
) -> ControlProfiles:
    """Return the profiles a user gave, as cells or averaged, or else those of the data.

    Parameters
    ----------
    profiles
        Those of the data, whose genes the others are brought to.
    controls
        Control cells, profiles, or ``None``.
    keys
        obs columns of control, cell_line and batch in the cells.
    layer
        Of the cells' expression.
    embed
        Embeds cells, for a model that reads an embedding.
    normalized_to
        Counts per cell of the data, where that can be told.

    Raises
    ------
    TypeError
        If ``controls`` are something else.
    ValueError
        If there are no cells, some are flagged as perturbed, the flag is not boolean, a batch
        or cell line is missing, a gene is missing or repeated, or the values are not
        log-normalized or were normalized to another sum.
    KeyError
        If the layer does not exist.
    """
    if controls is None:
        return profiles
    if not isinstance(controls, ControlProfiles | AnnData):
        several = isinstance(controls, MuData)
        given = f"MuData; take one modality of {', '.join(controls.mod)}" if several else controls
        raise TypeError(
            "controls takes control cells (AnnData) or averaged profiles such as "
            f"model.control_profiles, not {given if several else repr(controls)}."
        )
    if isinstance(controls, ControlProfiles):
        found = controls.over(profiles.genes)
    else:
        embedding = None if embed is None else embed(controls, np.arange(controls.n_obs))
        effects = profiles.of_effects
        expected = np.nan if normalized_to is None else normalized_to
        found = _averaged(
            controls, profiles.genes, keys, layer, embedding, expected, effects=effects
        )
    if MODALITY in profiles.obs and MODALITY not in found.obs:
        own = profiles.obs[[CELL_LINE, BATCH, MODALITY]].assign(**{CONTROL: False})
        found = found.with_modality_of(own)
    return replace(found, labels=(*profiles.labels, *found.labels))


def _averaged(
    cells: AnnData,
    genes: pd.Index,
    keys: Mapping[str, str | None],
    layer: str | None,
    embedding: FloatArray | None,
    normalized_to: float,
    *,
    effects: bool,
) -> ControlProfiles:
    """Average control cells by the contexts that their obs columns name."""
    _check_controls(cells, keys[CONTROL])
    matrix = expression_matrix(cells, layer)
    if not effects:
        check_log_normalized(matrix, _WHERE)
        total = sum_of_cells(matrix, cells.obs)
        refuse_other_sum("The control cells", total, "those of the model", normalized_to)
    column = gene_columns(cells.var_names, genes)
    there = {name: key for name in (CELL_LINE, BATCH) if (key := keys[name]) in cells.obs}
    held = obs_columns(cells.obs, there)
    columns = {name: read_context(held.get(name), cells.n_obs) for name in (CELL_LINE, BATCH)}
    frame = pd.DataFrame(columns, index=np.arange(cells.n_obs)).astype(str)
    grouped = frame.groupby([CELL_LINE, BATCH])
    obs = grouped.size().rename(N_CELLS).reset_index()
    context = grouped.ngroup().to_numpy()
    check = ValueCheck(_WHERE, cells.obs_names, effects=effects, missing=effects)
    sums = group_sums(matrix, context, len(obs), check=check)
    check.conclude()
    if not effects:
        check.refuse_partly_missing(context, len(obs))
    mean = sums[:, column] / obs[[N_CELLS]].to_numpy()
    if embedding is not None:
        embedding = weighted_group_means(embedding, context, np.ones(len(context)))
    return ControlProfiles(obs, mean.astype(np.float32), genes, embedding)


def _check_controls(cells: AnnData, flag: str | None) -> None:
    """Refuse cells that are flagged as perturbed, and var names that repeat."""
    if not cells.n_obs or (
        flag in cells.obs
        and not read_flags(
            obs_columns(cells.obs, {CONTROL: flag})[CONTROL], f"{flag!r}: True for controls"
        ).all()
    ):
        raise ValueError(
            "controls takes control cells only, and at least one: "
            f"adata[adata.obs[{flag!r}]].copy()"
        )
    if not cells.var_names.is_unique:
        repeated = cells.var_names[cells.var_names.duplicated()][0]
        raise ValueError(
            f"The var name {repeated!r} of the control cells occurs more than once. "
            "Run var_names_make_unique() on them first."
        )
