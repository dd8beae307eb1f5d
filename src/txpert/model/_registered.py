"""Reading back what was registered, and checks of data that a model meets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pandas as pd
from anndata import AnnData
from mudata import MuData
from scvi import REGISTRY_KEYS
from scvi.data import AnnDataManager
from scvi.data.fields import LayerField

from txpert._constants import BATCH, CELL_LINE, CONTROL, MODALITY, PERTURBATION, SPLIT
from txpert.data._keys import check_anndata, flag_controls, obs_columns
from txpert.data._log_normalized import log_normalized
from txpert.data._matrix import place
from txpert.data._screen import Screen

from ._fields import obs_column

FIELDS = (PERTURBATION, CONTROL, BATCH, CELL_LINE, SPLIT, MODALITY)
_IDENTIFIERS = ("_scvi_uuid", "_scvi_manager_uuid")


def read_screen(manager: AnnDataManager, *, needs_split: bool = True) -> Screen:
    """Return the screen that was registered, with its split as it is now.

    Without ``needs_split`` it may lack the split column that the model's own data had.
    """
    columns = {name: obs_column(manager, name) for name in FIELDS if name != SPLIT}
    columns[SPLIT] = split_column(manager, needed=needs_split)
    arguments = manager.registry["setup_args"]
    control_label = arguments.get("control_label")
    if control_label is not None:
        perturbation = columns[PERTURBATION]
        assert perturbation is not None  # the one column that there always is
        columns[CONTROL] = flag_controls(perturbation, control_label)
    matrix = log_normalized(
        manager.get_from_registry(REGISTRY_KEYS.X_KEY),
        arguments.get("target_sum"),
        place(arguments["layer"]),
    )
    screen = Screen.from_columns(
        matrix,
        registered_genes(manager.registry),
        {name: column for name, column in columns.items() if column is not None},
    )
    modality = (arguments.get("modalities") or {}).get("layer")
    data = manager.adata
    return screen.with_context(data if modality is None else data.mod[modality], data.obs)


def split_column(manager: AnnDataManager, *, needed: bool = True) -> pd.Series[Any] | None:
    """Return the split as it is in the data now, also if it was written after setup.

    Raises
    ------
    KeyError
        If the column that was registered is gone, and ``needed``.
    """
    key = manager.registry["setup_args"].get("split_key")
    if key is None:
        return None
    modality = (manager.registry["setup_args"].get("modalities") or {}).get("split_key")
    obs = manager.adata.obs if modality is None else manager.adata.mod[modality].obs
    if key in obs:
        return obs_columns(obs, {SPLIT: key})[SPLIT]
    if needed and SPLIT in manager.data_registry:
        raise KeyError(
            f"obs had the split {key!r} when the data were set up, but not any more: write it "
            "back, or set the data up again."
        )
    return None


def registered_genes(registry: Mapping[str, Any]) -> pd.Index:
    """Return the var names of the data a registry was made from."""
    expression = registry["field_registries"][REGISTRY_KEYS.X_KEY]
    return pd.Index(expression["state_registry"][LayerField.COLUMN_NAMES_KEY]).astype(str)


@contextmanager
def unregistered_on_failure(data: AnnData | MuData | None) -> Iterator[None]:
    """Take scvi-tools' identifiers out of ``uns`` again if what follows raises."""
    if data is None:
        yield
        return
    before = {name: data.uns[name] for name in _IDENTIFIERS if name in data.uns}
    try:
        yield
    except BaseException:
        for name in _IDENTIFIERS:
            data.uns.pop(name, None)
        data.uns.update(before)
        raise


def check_data(data: Any) -> None:
    """Raise a TypeError if data, where there are any, are neither AnnData nor MuData."""
    if data is not None and not isinstance(data, MuData):
        check_anndata(data)


def check_kind(data: AnnData | MuData, registry: Mapping[str, Any]) -> None:
    """Raise a TypeError if data are no MuData where a model's are, or the other way round."""
    modality = _expression(registry)
    if isinstance(data, MuData) == (modality is None):
        kind, setup = ("AnnData", "anndata") if modality is None else ("MuData", "mudata")
        raise TypeError(
            f"The model was set up with setup_{setup}: data are {kind}, not {type(data).__name__}."
        )


def _expression(registry: Mapping[str, Any]) -> str | None:
    """Return the modality of a MuData that holds the expression."""
    found: str | None = (registry["setup_args"].get("modalities") or {}).get("layer")
    return found


def check_genes(data: AnnData | MuData, registry: Mapping[str, Any], genes: pd.Index) -> None:
    """Refuse data of another kind than a model's, or whose genes are not its, in its order.

    Parameters
    ----------
    data
        The data.
    registry
        Of the model; with MuData it names the modality of the expression.
    genes
        Genes of the model.

    Raises
    ------
    TypeError
        As :func:`check_kind`.
    ValueError
        The message names a gene.
    """
    check_data(data)
    check_kind(data, registry)
    modality = _expression(registry)
    found = (data if modality is None else data.mod[modality]).var_names.astype(str)
    if found.equals(genes):
        return
    if not found.is_unique:
        raise ValueError(
            f"The var name {found[found.duplicated()][0]!r} occurs more than once. "
            "Run adata.var_names_make_unique() first."
        )
    missing = genes.difference(found)
    if len(missing):
        raise ValueError(
            f"The data lack {len(missing):,} of the {len(genes):,} genes of the model, "
            f"{missing[0]!r} among them. A model predicts all genes that it was trained on: make "
            "one of the genes that both have."
        )
    extra = found.difference(genes)
    kept = f"have {len(extra):,} genes besides, {extra[0]!r} among them" if len(extra) else ""
    raise ValueError(
        f"The genes of the data are not those of the model in the model's order"
        f"{': they ' + kept if kept else ''}. Align them: adata = adata[:, model.genes].copy()"
    )
