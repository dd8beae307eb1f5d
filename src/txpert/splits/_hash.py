"""A fingerprint of a split."""

from __future__ import annotations

import hashlib

import pandas as pd
from anndata import AnnData

from txpert._constants import CELL_LINE, PERTURBATION, SPLIT
from txpert.data import ObsKeys

from ._cells import perturbed_conditions, read_cells


def split_hash(conditions: pd.DataFrame) -> str:
    """Return a SHA-256 that two people with the same split share.

    Parameters
    ----------
    conditions
        cell_line, perturbation and split of the perturbed conditions, in any order; repeated
        rows count once, and a missing split counts as one.
    """
    columns = conditions[[CELL_LINE, PERTURBATION, SPLIT]].astype(object)
    rows = columns.where(columns.notna(), "").astype(str).itertuples(index=False, name=None)
    text = "\n".join("\t".join(row) for row in sorted(set(rows)))
    return hashlib.sha256(text.encode()).hexdigest()


def current_hash(adata: AnnData, keys: ObsKeys) -> str | None:
    """Return the hash of the split that the cells have now; ``None`` without a split column.

    Parameters
    ----------
    adata
        Cells × genes.
    keys
        obs columns.

    Raises
    ------
    ValueError
        As :func:`read_cells`.
    """
    if keys.split is None or keys.split not in adata.obs:
        return None
    return split_hash(perturbed_conditions(read_cells(adata, keys)))
