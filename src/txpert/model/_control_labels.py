"""Labels of control cells in place of a column of flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anndata import AnnData

from txpert._constants import CONTROL, PERTURBATION
from txpert.data._keys import obs_columns


def flag_key(control_key: str | None, control_label: str | Sequence[str] | None) -> str | None:
    """Return the column of flags, ``None`` where labels take its place."""
    if control_label is None:
        return control_key
    if control_key not in (None, CONTROL):
        raise ValueError(
            f"control_key={control_key!r} and control_label={control_label!r} both say which "
            "cells are controls. Give one of them."
        )
    return None


def control_labels(
    control_label: str | Sequence[str] | None, obs: Any, key: str, *, transferred: bool
) -> list[str] | None:
    """Return the control labels as a list; of data that a model is transferred to, those there."""
    if control_label is None:
        return None
    labels = [control_label] if isinstance(control_label, str) else [*map(str, control_label)]
    if not transferred:
        return labels
    present = set(obs_columns(obs, {PERTURBATION: key})[PERTURBATION].astype(str))
    return [label for label in labels if label in present] or labels


def check_given(controls: Any, arguments: Mapping[str, Any]) -> None:
    """Refuse cells given as controls that have another label.

    Parameters
    ----------
    controls
        What ``predict`` was given; only AnnData are looked at.
    arguments
        Those of ``setup_anndata``.

    Raises
    ------
    ValueError
        If a cell has a label that is none of controls.
    """
    labels, key = arguments.get("control_label"), arguments["perturbation_key"]
    if labels is None or not isinstance(controls, AnnData) or key not in controls.obs:
        return
    found = set(controls.obs[key].astype(str)) - set(labels)
    if found:
        raise ValueError(
            f"controls takes control cells only ({', '.join(labels)}), and some are "
            f"{min(found)!r}: adata[adata.obs[{key!r}].isin({labels!r})].copy()"
        )
