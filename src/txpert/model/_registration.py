"""What happens to data that a model meets for the first time: checked, and left as they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pandas as pd
from anndata import AnnData
from mudata import MuData

_IDENTIFIERS = ("_scvi_uuid", "_scvi_manager_uuid")


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


def check_genes(data: AnnData | MuData, registry: Mapping[str, Any], genes: pd.Index) -> None:
    """Refuse data whose genes are not those of a model, in its order.

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
    ValueError
        The message names a gene.
    """
    modality = (registry["setup_args"].get("modalities") or {}).get("layer")
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
