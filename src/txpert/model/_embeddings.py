"""Embeddings of control cells that a basal encoder reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from scipy.sparse import issparse

from txpert._constants import BATCH, CELL_LINE
from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._controls import ControlProfiles
from txpert.data._own_controls import Embed
from txpert.data._screen import Screen


class LatentModel(Protocol):
    """A trained scvi-tools model, such as :class:`scvi.model.SCVI`."""

    def get_latent_representation(self, adata: Any, *, indices: Any) -> Any:
        """Return the latent representation of some cells, ``(n_cells, n_embedding)``."""
        ...


class ControlEmbedding:
    """What a basal encoder reads instead of expression: an embedding of the control cells.

    Parameters
    ----------
    embed
        Embeds cells; ``None`` if the embeddings of contexts are all that is known.
    known
        Mean embeddings of the controls of contexts, as :meth:`to_dict` returns.
    """

    def __init__(self, embed: Embed | None, known: Mapping[str, Any] | None) -> None:
        self.embed = embed
        self._known = known

    @classmethod
    def of(
        cls, basal: str | LatentModel | Mapping[str, Any] | None, obsm: Embed | None
    ) -> ControlEmbedding | None:
        """Return what the user's ``basal`` asks for; ``None`` if it asks for no embedding.

        Raises
        ------
        ValueError
            If no embedding was registered.
        """
        if isinstance(basal, Mapping):
            return cls(obsm, basal)
        if basal == "embedding" and obsm is None:
            raise ValueError(
                "basal='embedding' reads an embedding of the cells; name the one in obsm when "
                "the data are set up: TxPertModel.setup_anndata(adata, embedding_key='X_scVI')."
            )
        if basal == "embedding":
            return cls(obsm, None)
        latent: Callable[..., Any] | None = getattr(basal, "get_latent_representation", None)
        if latent is None:
            return None
        return cls(
            lambda data, cells: np.asarray(latent(data, indices=cells), dtype=np.float32), None
        )

    def of_cells(self, screen: Screen, data: AnnData | MuData) -> Screen:
        """Return the screen with the embedding of its controls, where cells can be embedded."""
        if self.embed is None:
            return screen
        cells = np.flatnonzero(screen.control)
        of_controls = self.embed(data, cells)
        embedding = np.zeros((len(screen.control), of_controls.shape[1]), dtype=np.float32)
        embedding[cells] = of_controls
        return replace(screen, embedding=embedding)

    def of_contexts(self, table: ConditionTable) -> ConditionTable:
        """Return the table with the embeddings known, where cells cannot be embedded.

        Raises
        ------
        KeyError
            If a context is new.
        """
        if table.controls.embedding is not None or self._known is None:
            return table
        known = pd.MultiIndex.from_arrays([self._known[name] for name in (CELL_LINE, BATCH)])
        contexts = table.controls.obs[[CELL_LINE, BATCH]].astype(str)
        row = known.get_indexer(pd.MultiIndex.from_frame(contexts))
        if (row == -1).any():
            line, batch = contexts.iloc[int(np.flatnonzero(row == -1)[0])]
            raise KeyError(
                f"The model knows no embedding of the controls of cell line {line!r}, batch "
                f"{batch!r}: it was made with an scvi-tools model, which is not saved with it."
            )
        controls = replace(table.controls, embedding=self._known["embedding"][row])
        return replace(table, controls=controls)

    @staticmethod
    def to_dict(controls: ControlProfiles) -> dict[str, Any]:
        """Return the mean embedding of each context's controls, for saving."""
        state = controls.to_dict()
        return {name: state[name] for name in (CELL_LINE, BATCH, "embedding")}


def read_embedding(data: AnnData | MuData, key: str) -> FloatArray:
    """Return an obsm entry as an array, ``(n_cells, n_embedding)``.

    Raises
    ------
    KeyError
        If there is none of that name.
    ValueError
        If it is not a table of finite numbers.
    """
    if key not in data.obsm:
        raise KeyError(
            f"obsm has no {key!r} (embedding_key); it has {', '.join(data.obsm) or 'nothing'}. A "
            f"trained scvi-tools model makes one: adata.obsm[{key!r}] = "
            "scvi_model.get_latent_representation()"
        )
    found = data.obsm[key]
    try:
        values = np.asarray(found.toarray() if issparse(found) else found, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"obsm[{key!r}] must be a table of finite numbers, cells × dimensions; it has values "
            f"that are no numbers ({error})."
        ) from error
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError(
            f"obsm[{key!r}] must be a table of finite numbers, cells × dimensions; it has the "
            f"shape {values.shape}" + (" and NaN or infinite values." if values.ndim == 2 else ".")
        )
    return values


def obsm_embedding(key: str | None, modality: str | None) -> Embed | None:
    """Return what reads an obsm entry, of a modality where one is named."""
    if key is None:
        return None

    def embed(data: AnnData | MuData, cells: IntArray) -> FloatArray:
        # Control cells that a user hands to predict() are no MuData.
        holder = data.mod[modality] if modality and isinstance(data, MuData) else data
        return read_embedding(holder, key)[cells]

    return embed
