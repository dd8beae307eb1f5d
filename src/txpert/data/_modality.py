"""The kind of perturbation of each cell: CRISPRi, CRISPRa, knockout."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd

from txpert._constants import ALL
from txpert._types import BoolArray

from ._labels import read_names

_KINDS = {
    "CRISPRa": r"crispr[\W_]?a(ctivation)?|activation|over[\W_]?expression|oe|vpr|vp64|sam|orf",
    "CRISPRi": r"crispr[\W_]?i(nterference|nhibition)?|interference|krab|zim3|crisproff",
    "RNAi": r"rnai|shrna|sirna",
    "knockdown": r"knock[\W_]?down|kd",
    "knockout": r"crispr([\W_]?(cas9|ko|n(uclease)?|cut(ting)?))?|cas9|cas12a|knock[\W_]?out|ko",
    "base editing": r"base[\W_]?edit(ing|or)|abe|cbe",
    "drug": r"drug|compound|chemical|small[\W_]molecule|inhibitor",
}
"""How columns write the ways of perturbing cells."""
_FEW_VALUES = 50


def modality_of_cells(
    column: pd.Series[Any] | None,
    control: BoolArray,
    cell_line: pd.Categorical[Any],
    batch: pd.Categorical[Any],
) -> pd.Categorical | None:
    """Return the modality of each cell; controls have that of their context.

    A control cell belongs to its cell line and batch whatever was perturbed there, so what the
    column says of it is not read: with controls for each modality, name their batches apart.

    Parameters
    ----------
    column
        The obs column; ``None`` without one.
    control
        Whether a cell is a control, ``(n_cells,)``.
    cell_line, batch
        Context of each cell.

    Returns
    -------
    A control has ``"all"`` where its context has several modalities, or none.

    Raises
    ------
    ValueError
        If the modality of a perturbed cell is missing.
    """
    if column is None:
        return None
    perturbed = ~control
    names = pd.Series(ALL, index=np.arange(len(perturbed)), dtype=object)
    names[perturbed] = np.asarray(read_names(column[perturbed]), dtype=object)
    context = cell_line.codes.astype(np.int64) * len(batch.categories) + batch.codes
    of_context = names[perturbed].groupby(context[perturbed]).agg(["first", "nunique"])
    single = of_context.loc[of_context["nunique"] == 1, "first"]
    of_control = pd.Series(context[control]).map(single).astype(object)
    names[control] = of_control.fillna(ALL).to_numpy()
    values: pd.Categorical[Any] = pd.Categorical(names)
    return values


def warn_of_mixed_modalities(obs: Any, control: BoolArray, where: str = "adata.obs") -> None:
    """Warn if a column says that cells were perturbed in several ways, and nobody reads it.

    Such a column is known by its values, whatever it is called.

    Parameters
    ----------
    obs
        Annotation of the cells.
    control
        Whether a cell is a control.
    where
        How messages call ``obs``.
    """
    for name in obs.columns if isinstance(obs, pd.DataFrame) else obs:
        column = obs[name] if isinstance(obs, pd.DataFrame) else obs[[name]].to_memory()[name]
        values = _several_ways(column, control)
        if values:
            warnings.warn(
                f"{where}[{name!r}] says that cells were perturbed in several ways "
                f"({', '.join(values[:4])}{', …' if len(values) > 4 else ''}), whose effects may "
                "be opposite; they are taken for the same. Tell them apart by "
                f"modality_key={name!r}, or drop all but one.",
                UserWarning,
                stacklevel=3,
            )
            return


def _several_ways(column: Any, control: BoolArray) -> list[str]:
    """Return the values that perturbed cells have, if they are ways of perturbing and several."""
    if isinstance(column, pd.DataFrame) or pd.api.types.is_numeric_dtype(column):
        return []
    perturbed = column[~control]
    if any(_way(value) is None for value in perturbed.iloc[:_FEW_VALUES].dropna().unique()):
        return []
    values = perturbed.dropna().unique()
    ways = {_way(value) for value in values} if len(values) <= _FEW_VALUES else {None}
    return [] if None in ways or len(ways) < 2 else sorted(map(str, values))


def _way(value: object) -> str | None:
    """Return the way of perturbing that a value names, ``None`` if it is none."""
    text = str(value).strip().casefold()
    text = re.sub(r"^d?cas9[\W_]+(?=krab|zim3|vpr|vp64)", "", text)
    return next((way for way, form in _KINDS.items() if re.fullmatch(form, text)), None)
