"""obs columns that look like batches or cell lines under names that nobody reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from txpert._constants import BATCH, CELL_LINE

from ._once import warn_once

_NAMES = {
    BATCH: (
        BATCH,
        "batches",
        "batch_id",
        "batch_var",
        "batch_name",
        "gem_group",
        "gemgroup",
        "gem_well",
        "gemwell",
        "lane",
        "channel",
        "library",
        "library_id",
        "hto",
        "replicate",
        "rep",
        "biorep",
    ),
    CELL_LINE: (
        CELL_LINE,
        "cellline",
        "cell_lines",
        "cell_line_name",
        "celltype",
        "cell_type",
        "cell_types",
    ),
}
"""Names of such columns, in lower case with underscores, the likeliest first."""
_MOST_VALUES = 1_000


def warn_of_unread_columns(
    obs: Any, keys: Mapping[str, str | None], where: str = "adata.obs"
) -> None:
    """Warn of a column that looks like a batch or cell line where no column is read for one.

    Parameters
    ----------
    obs
        Annotation of the cells.
    keys
        Column by what it is for, as the user gave it: only a default name that ``obs`` lacks is
        asked about, not ``None``.
    where
        How messages call ``obs``.
    """
    plain = {
        str(name).strip().casefold().replace(" ", "_").replace("-", "_"): name for name in obs
    }
    for what, likely in _NAMES.items():
        if keys.get(what) != what or what in obs:
            continue
        named = [plain[name] for name in likely if name in plain]
        for name in named:
            if name in keys.values():
                continue
            column = obs[name] if isinstance(obs, pd.DataFrame) else obs[[name]].to_memory()[name]
            n_values = 0 if isinstance(column, pd.DataFrame) else column.nunique()
            if 1 < n_values < min(_MOST_VALUES, len(column)):
                kind = what.replace("_", " ")
                warn_once(
                    f"{where} has no column {what!r}, so all cells count as one {kind}, but "
                    f"{name!r} looks like one, with {n_values:,} values. Read it by "
                    f"{what}_key={name!r}; {what}_key=None says that there is none.",
                    column.index,
                    stacklevel=4,
                )
                break
