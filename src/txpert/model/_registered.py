"""Registrations of data: read back, undone, and compared with those of a model."""

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
from scvi.model.base import BaseModelClass

from txpert._constants import BATCH, CELL_LINE, CONTROL, MODALITY, PERTURBATION, SPLIT
from txpert.data import ObsKeys
from txpert.data._keys import ASSUMED_KEYS, check_anndata, flag_controls, obs_columns
from txpert.data._log_normalized import log_normalized
from txpert.data._matrix import place
from txpert.data._registrations import (
    DATA_IDENTIFIER,
    MANAGER_IDENTIFIER,
    entries_of_keys,
    forget_keys,
    registered_keys,
    remember_keys,
)
from txpert.data._screen import Screen

from ._fields import obs_column

FIELDS = (PERTURBATION, CONTROL, BATCH, CELL_LINE, SPLIT, MODALITY)
_IDENTIFIERS = (DATA_IDENTIFIER, MANAGER_IDENTIFIER)


def read_screen(manager: AnnDataManager, *, needs_split: bool = True) -> Screen:
    """Return the screen that was registered, with its split as it is now.

    Without ``needs_split`` it may lack the split column that the model's own data had.
    """
    columns = {name: obs_column(manager, name) for name in FIELDS if name != SPLIT}
    columns[SPLIT] = split_column(manager, needed=needs_split)
    arguments = manager.registry["setup_args"]
    _remember(manager)
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
    """Undo the registration of data, and put an earlier one back, if what follows raises."""
    if data is None:
        yield
        return
    identifiers = {name: data.uns[name] for name in _IDENTIFIERS if name in data.uns}
    keys, held = entries_of_keys(data), list(_managers(data))
    try:
        yield
    except BaseException:
        release(data)
        for name in _IDENTIFIERS:
            data.uns.pop(name, None)
        data.uns.update(identifiers)
        remember_keys(keys)
        for store, key, manager in held:
            store[key] = manager
        raise


def release(data: AnnData | MuData) -> None:
    """Have scvi-tools let go of data, which it would keep in memory until the session ends.

    Models that hold the data keep working; to make another one, set the data up again.
    """
    for store, key, manager in list(_managers(data)):
        if manager.adata is data:
            store.pop(key, None)
    forget_keys(data)


@contextmanager
def found_again(model: Any) -> Iterator[None]:
    """Let scvi-tools find the data of a model as the model was made with them.

    It knows one registration per identifier, and copies of data keep theirs: a copy that is set
    up, also by loading a model that was saved with its data, takes the place of the original.
    """
    manager = model.adata_manager
    if manager is None:  # a model without data
        yield
        return
    identifier = model.adata.uns.setdefault(DATA_IDENTIFIER, manager.adata_uuid)
    model.adata.uns.setdefault(MANAGER_IDENTIFIER, manager.id)
    store = type(model)._setup_adata_manager_store
    other = store.get(identifier)
    store[identifier] = manager
    try:
        yield
    finally:
        if other is None:
            del store[identifier]
        else:
            store[identifier] = other


def _managers(
    data: AnnData | MuData,
) -> Iterator[tuple[dict[str, AnnDataManager], str, AnnDataManager]]:
    """Yield the managers of data or of what shares their identifier, with where each is kept."""
    identifier = data.uns.get(DATA_IDENTIFIER)
    classes: list[Any] = [BaseModelClass]
    for cls in classes:
        classes += cls.__subclasses__()
        stores = [cls._setup_adata_manager_store, *cls._per_instance_manager_store.values()]
        for store in stores:
            for key, manager in list(store.items()):
                if manager.adata is data or key == identifier:
                    yield store, key, manager


def _remember(manager: AnnDataManager) -> None:
    """Know the columns also of data that scvi-tools registered like a model's own."""
    data, arguments = manager.adata, manager.registry["setup_args"]
    if isinstance(data, MuData):
        return
    known = registered_keys(data)
    if known is not None and known is not ASSUMED_KEYS:
        return
    columns = {name: arguments.get(f"{name}_key") for name in FIELDS}
    columns[CONTROL] = columns[CONTROL] or CONTROL
    ObsKeys(**columns, control_label=arguments.get("control_label")).register(data)


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
