"""The columns that data were registered with, by scvi-tools' identifiers of the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from anndata import AnnData

# scvi-tools' identifiers of a registration and of registered data, which copies of these keep.
MANAGER_IDENTIFIER = "_scvi_manager_uuid"
DATA_IDENTIFIER = "_scvi_uuid"
# How the identifier of a registration ends that named other columns than the default ones.
NAMED: Final = "-named-columns"
_MOST_REGISTERED = 1_000
_registered: dict[str, Any] = {}  # ObsKeys by identifier: the latest, until released (forget_keys)


def registered_keys(adata: AnnData) -> Any:
    """Return the keys of the registration of data; ``None`` if it is not known."""
    if DATA_IDENTIFIER not in adata.uns:
        return None
    return next((_registered[name] for name in identifiers(adata) if name in _registered), None)


def entries_of_keys(data: Any) -> dict[str, Any]:
    """Return what is remembered of data, AnnData or MuData, by identifier."""
    return {name: _registered[name] for name in identifiers(data) if name in _registered}


def remember_keys(entries: Mapping[str, Any]) -> None:
    """Remember keys by identifier."""
    for name, keys in entries.items():
        _registered.pop(name, None)  # to be the latest
        _registered[name] = keys
    while len(_registered) > _MOST_REGISTERED:
        _registered.pop(next(iter(_registered)), None)


def forget_keys(data: Any) -> None:
    """Forget the keys of data that scvi-tools does not hold any more."""
    for name in identifiers(data):
        _registered.pop(name, None)


def identifiers(data: Any) -> list[str]:
    """Return scvi-tools' identifiers of data, that of the registration first.

    A copy that is registered with other columns has a registration of its own, but the data's
    identifier. Another model that the data are registered with leaves the latter.
    """
    names = (MANAGER_IDENTIFIER, DATA_IDENTIFIER)
    return [str(data.uns[name]) for name in names if name in data.uns]
