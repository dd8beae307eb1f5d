"""``get.genes``: what a graph for a screen is to be asked for."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from anndata import AnnData

from txpert.data import ObsKeys
from txpert.data._keys import CONTROL_KEY, PERTURBATION_KEY
from txpert.data._targets import perturbed_genes


def genes(
    adata: AnnData,
    *,
    perturbation_key: str = PERTURBATION_KEY,
    control_key: str = CONTROL_KEY,
    control_label: str | Sequence[str] | None = None,
) -> pd.Index:
    """Return the genes of a screen, measured or perturbed: those that a graph should connect.

    Perturbed genes are often not among the measured ones, such as in targeted panels and after a
    choice of variable genes, and a graph without them predicts nothing specific of them.

    Parameters
    ----------
    adata
        Cells × genes.
    perturbation_key, control_key
        obs columns, by default those that ``setup_anndata`` was given.
    control_label
        Labels of control cells, instead of a control column.

    Returns
    -------
    The var names in their order, then the targets that are not among them, sorted.

    Raises
    ------
    KeyError
        If an obs column is missing.
    ValueError
        If labels are missing or malformed, or no cell is a control.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> panel = adata[:, ["GENE7", "GENE1"]].copy()
    >>> tx.get.genes(panel)[:4].to_list()
    ['GENE7', 'GENE1', 'GENE11', 'GENE13']
    """
    keys = ObsKeys.of(
        adata,
        perturbation=perturbation_key,
        control=control_key,
        control_label=control_label,
    )
    measured = adata.var_names.astype(str)
    targets = pd.Index(perturbed_genes(adata, keys), dtype=object)
    return measured.append(targets.difference(measured)).rename(None)
