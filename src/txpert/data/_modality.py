"""The kind of perturbation of each cell: CRISPRi, CRISPRa, knockout."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from txpert._constants import ALL, MODALITY
from txpert._types import BoolArray

from ._labels import read_names

_LIKELY = frozenset(
    {
        MODALITY,
        "perturbation_modality",
        "perturbation_type",
        "perturbation_method",
        "perturbation_kind",
        "perturbation_technology",
        "perturbation_mode",
        "crispr_type",
        "crispr_modality",
    }
)


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
        if str(name).strip().casefold().replace(" ", "_") not in _LIKELY:
            continue
        column = obs[name] if isinstance(obs, pd.DataFrame) else obs[[name]].to_memory()[name]
        kinds = sorted(column[~control].dropna().astype(str).unique())
        if len(kinds) > 1:
            warnings.warn(
                f"{where}[{name!r}] says that cells were perturbed in several ways "
                f"({', '.join(kinds[:4])}{', …' if len(kinds) > 4 else ''}), whose effects may be "
                "opposite; they are taken for the same. Tell them apart by "
                f"modality_key={name!r}, or drop all but one.",
                UserWarning,
                stacklevel=3,
            )
            return
