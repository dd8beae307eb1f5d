"""Names that a prediction is asked for, and the nodes that they stand for."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from scvi import settings

from txpert._constants import ALL, MODALITY, PERTURBATION
from txpert._options import check_names
from txpert._types import BoolArray
from txpert.data._meant import meant, warn_of_meant
from txpert.data._tokens import parse_targets, unknown_targets, without_node
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
    if isinstance(perturbations, pd.DataFrame):
        if PERTURBATION not in perturbations:
            return perturbations, None
        labels = perturbations[PERTURBATION].astype(str).tolist()
    else:
        given = [perturbations] if isinstance(perturbations, str) else perturbations
        labels = check_names("perturbations", given)
        for label in labels:
            if not isinstance(label, str):
                parse_targets(label)  # says what a label is
    read = meant(labels, known, ids)
    warn_of_meant(read, settings.warnings_stacklevel + 1)
    written = [read.get(label, label) for label in labels]
    if not isinstance(perturbations, pd.DataFrame):
        return written, None
    if not read:
        return perturbations, None
    return perturbations.assign(**{PERTURBATION: written}), labels


def gene_ids(var: pd.DataFrame | None, nodes: pd.Index) -> dict[str, str]:
    """Return nodes by the Ensembl ids that columns of ``var`` give them."""
    if var is None:
        return {}
    found: dict[str, str] = {}
    for name in var.columns:
        column = var[name].dropna().astype(str)
        if column.str.match(r"ENS[A-Z]*G\d{11}").any():
            found |= {key: str(gene) for gene, key in column.items() if gene in nodes}
    return found


def check_modality(modality: str, known: Collection[str]) -> None:
    """Raise a KeyError if a modality is none of those known."""
    named = sorted({*known} - {ALL, ""})
    if modality not in named:
        why = f"there are {', '.join(named)}" if named else "setup_anndata was given none"
        raise KeyError(f"No training perturbation is of modality {modality!r}; {why}.")


def check_modalities(
    obs: pd.DataFrame, training: Iterable[Context], *others: pd.DataFrame
) -> None:
    """Raise a KeyError if a perturbation asked for has a modality that is not known.

    Parameters
    ----------
    obs
        Conditions of a prediction.
    training
        Contexts of the training perturbations.
    others
        Annotation of data and controls, whose modalities are known as well.
    """
    if MODALITY not in obs:
        return
    known = {context.modality for context in training}
    known.update(*(frame[MODALITY].astype(str) for frame in others if MODALITY in frame))
    known = known - {ALL} or {ALL}  # controls of several modalities have "all"
    unknown = obs.loc[~obs[MODALITY].isin(known), [PERTURBATION, MODALITY]]
    for label, modality in unknown.itertuples(index=False, name=None):
        if parse_targets(label):
            check_modality(modality, known)


def lacks_node(labels: Iterable[str], nodes: pd.Index) -> BoolArray:
    """Say which perturbations have a target that is no node, and warn of them."""
    found = without_node(labels, nodes)
    targets = list(dict.fromkeys(target for of_row in found for target in of_row))
    if targets:
        warnings.warn(
            f"{unknown_targets(targets, nodes)} Nothing specific is known of them: they have the "
            "mean effect of the perturbations in training, and obs['unknown_target'] is true "
            "(unknown='raise' refuses them).",
            UserWarning,
            stacklevel=settings.warnings_stacklevel + 2,
        )
    return np.array([bool(of_row) for of_row in found], dtype=bool)
