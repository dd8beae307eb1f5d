"""Reading what :func:`txpert.tl.evaluate` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anndata import AnnData
from mudata import MuData

from txpert._constants import UNS_KEY

OBSERVED = "observed"


def evaluation(adata: AnnData | MuData, key: str = UNS_KEY) -> Mapping[str, Any]:
    """Return the stored evaluation.

    Raises
    ------
    KeyError
        If there is none.
    """
    if "metrics" not in adata.uns.get(key, {}):
        raise KeyError(f"adata.uns[{key!r}] has no evaluation; run tx.tl.evaluate(adata, model).")
    return adata.uns[key]


def one_of(name: str | None, known: list[str], what: str, default: int = 0) -> str:
    """Return ``name`` if it is known, or the default one.

    Raises
    ------
    KeyError
        If it is not known.
    """
    if name is None:
        return known[default]
    if name not in known:
        some = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
        raise KeyError(f"There is no {what} {name!r}; there are {some}.")
    return name
