"""Names that a prediction is asked for, and the nodes that they stand for."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from scvi import settings

from txpert._constants import MODALITY
from txpert._gene_names import ENSEMBL_GENE
from txpert._types import BoolArray
from txpert.data._meant import in_known_names
from txpert.data._tokens import unknown_targets, without_node
from txpert.effects._contexts import Context


def by_nodes(
    perturbations: str | Sequence[str] | pd.DataFrame,
    known: pd.Index,
    ids: Mapping[str, str],
) -> tuple[Sequence[str] | pd.DataFrame, list[str] | None]:
    """Return perturbations written with the names of nodes; warn of those that are read as others.

    Parameters
    ----------
    perturbations
        Labels, or a frame with the column perturbation.
    known
        Nodes, and labels of controls.
    ids
        Nodes by other names.

    Returns
    -------
    Second, the names that the rows of a frame keep in what comes back.
    """
    return in_known_names(perturbations, known, ids, stacklevel=settings.warnings_stacklevel + 2)


def gene_ids(var: pd.DataFrame | None, nodes: pd.Index) -> dict[str, str]:
    """Return nodes by the Ensembl ids that columns of ``var`` give them."""
    if var is None:
        return {}
    found: dict[str, str] = {}
    for name in var.columns:
        column = var[name].dropna().astype(str)
        if column.str.match(ENSEMBL_GENE).any():
            found |= {key: str(gene) for gene, key in column.items() if gene in nodes}
    return found


def modalities_of(training: Iterable[Context], *others: pd.DataFrame) -> set[str]:
    """Return the modalities of training contexts, and of further data and controls."""
    known = {context.modality for context in training}
    return known.union(*(frame[MODALITY].astype(str) for frame in others if MODALITY in frame))


def lacks_node(labels: Iterable[str], nodes: pd.Index) -> BoolArray:
    """Say which perturbations have a target that is no node, and warn of them."""
    found = without_node(labels, nodes)
    targets = list(dict.fromkeys(target for of_row in found for target in of_row))
    if targets:
        warnings.warn(
            f"{unknown_targets(targets, nodes)} Nothing specific is known of them: they get the "
            "common effect of the training perturbations, and obs['unknown_target'] is true "
            "(unknown='raise' refuses them).",
            UserWarning,
            stacklevel=settings.warnings_stacklevel + 2,
        )
    return np.array([bool(of_row) for of_row in found], dtype=bool)
