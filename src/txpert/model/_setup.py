"""Registration of a screen with scvi-tools."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from anndata import AnnData
from mudata import MuData
from scvi import REGISTRY_KEYS
from scvi.data import AnnDataManager
from scvi.data.fields import LayerField, MuDataLayerField, MuDataObsmField, ObsmField

from txpert._constants import BATCH, CELL_LINE, CONTROL, MODALITY, PERTURBATION, SPLIT
from txpert.data import ObsKeys
from txpert.data._keys import check_anndata, flag_controls, obs_columns, resolve_key
from txpert.data._log_normalized import log_normalized
from txpert.data._matrix import expression_matrix, place
from txpert.data._modality import warn_of_mixed_modalities
from txpert.data._screen import Screen
from txpert.data._unread_columns import warn_of_unread_columns

from ._control_labels import control_labels, flag_key
from ._embeddings import read_embedding
from ._fields import (
    CodingManager,
    MuDataOpenObsField,
    OpenObsField,
    without_missing,
)
from ._registered import FIELDS, check_genes, registered_genes

EMBEDDING = "embedding"
_LOCATED = (*(f"{name}_key" for name in FIELDS), "layer", "embedding_key")
_EXPRESSION_OPTIONS: dict[str, Any] = {"is_count_data": False, "correct_data_format": False}


class SetupMixin:
    """Registers a perturbation screen with scvi-tools."""

    register_manager: Callable[[AnnDataManager], None]
    _get_setup_method_args: Callable[..., dict[str, Any]]

    @classmethod
    def setup_anndata(
        cls,
        adata: AnnData,
        perturbation_key: str = PERTURBATION,
        control_key: str = CONTROL,
        batch_key: str | None = BATCH,
        cell_line_key: str | None = CELL_LINE,
        split_key: str | None = SPLIT,
        modality_key: str | None = MODALITY,
        layer: str | None = None,
        embedding_key: str | None = None,
        target_sum: float | None = None,
        control_label: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Name the columns and the layer that hold a screen, and check them.

        The data are not changed, except for scvi-tools' two identifiers in ``adata.uns``.

        Parameters
        ----------
        adata
            Cells × genes, log1p of library-size-normalized counts, in memory, backed (h5ad, zarr)
            or lazy (:func:`anndata.experimental.read_lazy`); or effects
            (:func:`txpert.pp.from_effects`). A gene that a cell line and batch did not measure is
            NaN in all its cells, or marked by :func:`txpert.pp.mark_unmeasured`.
        perturbation_key
            obs column of what was done to each cell: ``"A"``, ``"A+B"`` or ``"control"``.
        control_key
            obs column that is ``True`` for unperturbed cells.
        batch_key, cell_line_key, split_key
            obs columns of batch, cell line and split (``"train"``, ``"val"``, ``"test"``).
            Under their default names they are used where they exist; ``None`` ignores them.
            A split written later is read when a model is made or trained; without one, validation
            perturbations are drawn when a model is made.
        modality_key
            obs column of how each cell was perturbed (CRISPRi, CRISPRa, knockout), used as
            ``batch_key``. A control belongs to its cell line and batch, whatever its modality:
            where modalities have controls of their own, name their batches apart.
        layer
            Layer of the expression values; ``None`` takes ``X``.
        embedding_key
            obsm key of an embedding of the cells (scVI, PCA, a foundation model), read with
            ``basal="embedding"``.
        target_sum
            Normalize raw counts whenever cells are read, to this many per cell, and take log1p,
            as :func:`txpert.pp.normalize` does (which takes 4,000); ``None`` wants log-normalized
            values.
        control_label
            Label or labels of unperturbed cells, such as ``"non-targeting"``, instead of
            ``control_key``.
        **kwargs
            Passed by scvi-tools when a model is loaded.

        Raises
        ------
        KeyError
            If a column, the layer or the embedding does not exist.
        ValueError
            If the annotation or the values are unusable; the message says which and the remedy.

        Warns
        -----
        UserWarning
            If a column that is not used says that cells were perturbed in several ways, or looks
            like a batch or cell line where none is named; or contexts have few control cells.

        Examples
        --------
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> adata.obs = adata.obs.rename(columns={"perturbation": "gene"})
        >>> tx.TxPertModel.setup_anndata(adata, perturbation_key="gene")
        """
        columns = (
            perturbation_key,
            flag_key(control_key, control_label),
            batch_key,
            cell_line_key,
            split_key,
            modality_key,
        )
        check_anndata(adata)
        keys = _keys(*columns)
        _refuse_unknown(kwargs, _passed(), "setup")
        if "source_registry" in kwargs:  # a model is loaded with these data
            check_genes(adata, registry := kwargs["source_registry"], registered_genes(registry))
            keys = without_missing(keys, lambda _: adata.obs)
        labels = control_labels(
            control_label, adata.obs, perturbation_key, transferred="source_registry" in kwargs
        )
        places = dict.fromkeys(keys)
        resolved = cls._check(adata, adata, layer, keys, places, target_sum, labels)
        fields = [
            LayerField(REGISTRY_KEYS.X_KEY, layer, **_EXPRESSION_OPTIONS),
            *(OpenObsField(name, key) for name, key in resolved.items()),
        ]
        if embedding_key is not None:
            read_embedding(adata, embedding_key)
            fields.append(ObsmField(EMBEDDING, embedding_key))
        arguments: dict[str, Any] = {f"{name}_key": key for name, key in resolved.items()}
        arguments["split_key"] = split_key  # also where there is no such column yet
        arguments |= {"embedding_key": embedding_key, "target_sum": target_sum}
        arguments["control_label"] = labels
        method = cls._get_setup_method_args(cls=cls, adata=adata, layer=layer, **arguments)
        manager = CodingManager(fields=fields, setup_method_args=method)
        manager.register_fields(adata, **kwargs)
        cls.register_manager(manager)
        registered = (perturbation_key, control_key or CONTROL, *columns[2:])
        ObsKeys(*registered, control_label=labels).register(adata)

    @classmethod
    def setup_mudata(
        cls,
        mdata: MuData,
        perturbation_key: str = PERTURBATION,
        control_key: str = CONTROL,
        batch_key: str | None = BATCH,
        cell_line_key: str | None = CELL_LINE,
        split_key: str | None = SPLIT,
        modality_key: str | None = MODALITY,
        layer: str | None = None,
        embedding_key: str | None = None,
        target_sum: float | None = None,
        modalities: Mapping[str, str] | None = None,
        control_label: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Name the columns and the layer that hold a screen in a MuData, and check them.

        Parameters
        ----------
        mdata
            Multimodal data; one modality holds log-normalized expression.
        perturbation_key, control_key, batch_key, cell_line_key, split_key, modality_key
            As in :meth:`setup_anndata`.
        layer, embedding_key, target_sum
            As in :meth:`setup_anndata`.
        modalities
            Modality of each argument, such as ``{"layer": "rna", "perturbation_key": "guides"}``.
            The expression's is ``"rna"`` by default; an obs column or the embedding is looked for
            in its modality, by default in ``mdata.obs`` and ``mdata.obsm``.
        control_label
            As in :meth:`setup_anndata`.
        **kwargs
            Passed by scvi-tools when a model is loaded.

        Raises
        ------
        KeyError
            If a modality, a column or the layer does not exist.
        TypeError
            If ``mdata`` is no MuData, or ``modalities`` names what is no argument.
        ValueError
            If the annotation or the values are unusable.

        Examples
        --------
        >>> import mudata
        >>> import txpert as tx
        >>> mdata = mudata.MuData({"rna": tx.datasets.toy()})
        >>> columns = dict.fromkeys(["perturbation_key", "control_key", "batch_key"], "rna")
        >>> tx.TxPertModel.setup_mudata(mdata, cell_line_key=None, modalities=columns)
        """
        if not isinstance(mdata, MuData):
            raise TypeError(f"mdata is a MuData, not {type(mdata).__name__}; see setup_anndata.")
        modalities = {"layer": "rna", **(modalities or {})}
        _refuse_unknown(modalities, _LOCATED, "modalities")
        for argument, modality in modalities.items():
            if modality not in mdata.mod:
                raise KeyError(
                    f"The MuData has no modality {modality!r} (modalities[{argument!r}]); it has "
                    f"{', '.join(mdata.mod)}."
                )
        _check_order(mdata, modalities)
        _refuse_unknown(kwargs, _passed(), "setup")
        if "source_registry" in kwargs:  # a model is loaded with these data
            check_genes(mdata, registry := kwargs["source_registry"], registered_genes(registry))
        keys = _keys(
            perturbation_key,
            flag_key(control_key, control_label),
            batch_key,
            cell_line_key,
            split_key,
            modality_key,
        )
        places = {name: modalities.get(f"{name}_key") for name in keys}
        if "source_registry" in kwargs:
            top = mdata.obs
            keys = without_missing(
                keys, lambda name: top if places[name] is None else mdata.mod[places[name]].obs
            )
        expression = mdata.mod[modalities["layer"]]
        home = places[PERTURBATION]
        obs = mdata.obs if home is None else mdata.mod[home].obs
        labels = control_labels(
            control_label, obs, perturbation_key, transferred="source_registry" in kwargs
        )
        resolved = cls._check(mdata, expression, layer, keys, places, target_sum, labels)
        fields = [
            MuDataLayerField(
                REGISTRY_KEYS.X_KEY, layer, mod_key=modalities["layer"], **_EXPRESSION_OPTIONS
            ),
            *(
                MuDataOpenObsField(name, key, mod_key=places[name])
                for name, key in resolved.items()
            ),
        ]
        if embedding_key is not None:
            mod_key = modalities.get("embedding_key")
            read_embedding(mdata if mod_key is None else mdata.mod[mod_key], embedding_key)
            fields.append(MuDataObsmField(EMBEDDING, embedding_key, mod_key=mod_key))
        arguments: dict[str, Any] = {f"{name}_key": key for name, key in resolved.items()}
        arguments["split_key"] = split_key  # also where there is no such column yet
        arguments |= {"embedding_key": embedding_key, "target_sum": target_sum}
        arguments["control_label"] = labels
        method = cls._get_setup_method_args(
            cls=cls, mdata=mdata, layer=layer, modalities=modalities, **arguments
        )
        manager = CodingManager(fields=fields, setup_method_args=method)
        manager.register_fields(mdata, **kwargs)
        cls.register_manager(manager)

    @staticmethod
    def _check(
        data: AnnData | MuData,
        expression: AnnData,
        layer: str | None,
        keys: Mapping[str, str | None],
        places: Mapping[str, str | None],
        target_sum: float | None,
        control_label: list[str] | None,
    ) -> dict[str, str | None]:
        """Check columns and values before anything is registered; return the columns there are.

        ``places`` names the modality of each column; ``None`` is the top level.
        """
        if data.is_view:
            raise ValueError(
                "The data are a view of a larger object. Make a copy first: adata = adata.copy()"
            )
        resolved: dict[str, str | None] = {}
        columns: dict[str, pd.Series[Any]] = {}
        for name, key in keys.items():
            mod_key = places[name]
            obs = data.obs if mod_key is None else data.mod[mod_key].obs
            top = "adata.obs" if data is expression else "mdata.obs"
            where = top if mod_key is None else f"mdata[{mod_key!r}].obs"
            resolved[name] = resolve_key(name, key, obs, where)
            columns |= obs_columns(obs, {name: resolved[name]})
        if control_label is not None and PERTURBATION in columns:
            columns[CONTROL] = flag_controls(columns[PERTURBATION], control_label)
        matrix = expression_matrix(expression, layer)
        screen = Screen.from_columns(matrix, expression.var_names, columns, expression.var)
        if target_sum is None:
            screen.check_values(place(layer))
        log_normalized(matrix, target_sum, place(layer))
        top = "adata.obs" if data is expression else "mdata.obs"
        for mod_key in dict.fromkeys(places[name] for name in (BATCH, CELL_LINE)):
            here = {name: keys[name] if places[name] == mod_key else None for name in keys}
            obs, where = data.obs, top
            if mod_key is not None:
                obs, where = data.mod[mod_key].obs, f"mdata[{mod_key!r}].obs"
            warn_of_unread_columns(obs, here, where)
        if resolved[MODALITY] is None:
            warn_of_mixed_modalities(data.obs, screen.control)
        return resolved


def _check_order(mdata: MuData, modalities: Mapping[str, str]) -> None:
    """Raise a ValueError if a modality in use does not list the cells as the MuData does."""
    for modality in dict.fromkeys(modalities.values()):
        if not mdata.mod[modality].obs_names.equals(mdata.obs_names):
            raise ValueError(
                f"The modality {modality!r} has other cells than the MuData, or the same in "
                "another order. Make a MuData of modalities with the same cells in one order: "
                f"mdata.mod[{modality!r}][mdata.obs_names].copy()"
            )


def _refuse_unknown(given: Iterable[str], known: Collection[str], where: str) -> None:
    """Refuse names of arguments that are none, with the closest of ``setup_anndata``'s."""
    unknown = sorted(map(str, set(given) - set(known)))
    if unknown:
        names = inspect.signature(SetupMixin.setup_anndata).parameters
        close = difflib.get_close_matches(unknown[0], names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise TypeError(f"{where} has no argument {unknown[0]!r}.{hint}")


def _passed() -> set[str]:
    """Return the arguments that scvi-tools passes when it loads a model."""
    passed = set(inspect.signature(AnnDataManager.register_fields).parameters)
    return passed | {"extend_categories", "allow_missing_labels"}


def _keys(*columns: str | None) -> dict[str, str | None]:
    return dict(zip(FIELDS, columns, strict=True))
