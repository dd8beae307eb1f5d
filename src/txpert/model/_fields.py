"""scvi-tools fields of obs columns with an open vocabulary."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import rich.table
from anndata import AnnData
from mudata import MuData
from scvi import settings
from scvi.data import AnnDataManager
from scvi.data.fields import MuDataWrapper
from scvi.dataloaders import AnnDataLoader

from txpert._compat import BaseDataFrameField
from txpert._constants import SPLIT
from txpert.data._keys import OPTIONAL, names_columns, obs_columns
from txpert.data._matrix import expression_matrix
from txpert.data._registrations import NAMED
from txpert.data._scale import refuse_other_sum, sum_of_cells

NORMALIZED_TO = "normalized_to"
"""Key in the registry: counts per cell, where that can be told."""
_NONE = np.empty(0, dtype=object)


class OpenObsField(BaseDataFrameField):
    """An obs column with an open vocabulary.

    Unlike scvi-tools' categorical field it takes values that the data it was first registered on
    did not have (a trained model meets new perturbations, batches and cell lines), and it adds no
    column to the user's AnnData.

    Parameters
    ----------
    registry_key
        Name in the registry.
    attr_key
        obs column, or ``None`` if the data have none.
    """

    CATEGORIES = "categorical_mapping"  # scvi-tools' name for it
    ORIGINAL_KEY = "original_key"

    def __init__(self, registry_key: str, attr_key: str | None) -> None:
        super().__init__(registry_key, attr_key, field_type="obs", required=False)

    def validate_field(self, adata: AnnData) -> None:
        """Check that the column is there, if there must be one."""
        super().validate_field(adata)
        if self.attr_key not in adata.obs and self.registry_key not in OPTIONAL:
            raise KeyError(
                f"adata.obs has no column {self.attr_key!r} ({self.registry_key}), which the data "
                f"of the model have. Write it: adata.obs[{self.attr_key!r}] = ..."
            )

    def register_field(self, adata: AnnData) -> dict[str, Any]:
        """Record the column and the values it has."""
        super().register_field(adata)
        if self.attr_key not in adata.obs:  # data that a model is transferred to
            return {self.CATEGORIES: _NONE, self.ORIGINAL_KEY: self.attr_key}
        column = obs_columns(adata.obs, {self.registry_key: self.attr_key})[self.registry_key]
        values = pd.Categorical(column).remove_unused_categories().categories
        return {
            self.CATEGORIES: np.asarray(values.astype(str), dtype=object),
            self.ORIGINAL_KEY: self.attr_key,
        }

    def transfer_field(
        self, state_registry: dict[str, Any], adata_target: AnnData, **kwargs: Any
    ) -> dict[str, Any]:
        """Record the column of other data; new values join the known ones."""
        super().transfer_field(state_registry, adata_target, **kwargs)
        state = self.register_field(adata_target)
        known = state_registry.get(self.CATEGORIES, _NONE)
        state[self.CATEGORIES] = pd.unique(np.concatenate([known, state[self.CATEGORIES]]))
        return state

    def get_summary_stats(self, state_registry: dict[str, Any]) -> dict[str, int]:
        """Count the values."""
        return {f"n_{self.registry_key}": len(state_registry.get(self.CATEGORIES, ()))}

    def view_state_registry(self, state_registry: dict[str, Any]) -> rich.table.Table | None:
        """List the values; ``None`` where the data have no such column."""
        if self.CATEGORIES not in state_registry:
            return None
        table = rich.table.Table(title=f"{self.registry_key} State Registry")
        table.add_column("Source Location", style="dodger_blue1")
        table.add_column("Categories", style="green")
        for i, category in enumerate(state_registry[self.CATEGORIES]):
            source = f"adata.obs['{state_registry[self.ORIGINAL_KEY]}']" if i == 0 else ""
            table.add_row(source, category)
        return table


MuDataOpenObsField = MuDataWrapper(OpenObsField)


class CodingManager(AnnDataManager):
    """A manager whose obs columns come as integer codes, as those of scvi-tools' models do.

    scvi-tools writes codes into the user's obs and reads them from there; these are made when
    they are asked for. Value i of a column's ``categorical_mapping`` in the state registry has the
    code i; what is missing has -1. :func:`obs_column` returns the column itself.

    Its identifier, which the data keep, says whether other columns than the default ones were
    named (``ObsKeys``). The registry, which is saved with a model, also says what cells were
    normalized to (``registry["normalized_to"]``) where that can be told.
    """

    def register_fields(
        self,
        adata: AnnData | MuData,
        source_registry: dict[str, Any] | None = None,
        **transfer_kwargs: Any,
    ) -> None:
        """Register the data, which must be normalized to the sum of those of a model.

        Raises
        ------
        ValueError
            If they are not.
        """
        arguments = self._registry["setup_args"]
        if isinstance(adata, AnnData) and names_columns(arguments, adata.obs):
            self.id += NAMED
        total = _normalized_to(adata, arguments)
        if source_registry is not None:
            expected = source_registry.get(NORMALIZED_TO, np.nan)
            refuse_other_sum("Cells of the data", total, "those of the model", expected)
            total = expected
        super().register_fields(adata, source_registry, **transfer_kwargs)
        if np.isfinite(total):
            self._registry[NORMALIZED_TO] = total

    def get_from_registry(self, registry_key: str) -> Any:
        """Return expression or an embedding, or the codes of an obs column, ``(n_cells, 1)``."""
        state = self.get_state_registry(registry_key)
        if OpenObsField.CATEGORIES not in state:
            return super().get_from_registry(registry_key)
        column = obs_column(self, registry_key)
        if column is None:
            return np.full((self.adata.n_obs, 1), -1, dtype=np.int64)
        values = pd.Categorical(column)
        known = pd.Index(state[OpenObsField.CATEGORIES])
        code = known.get_indexer(values.categories.astype(str))
        return np.append(code, -1)[values.codes].astype(np.int64)[:, None]


def _normalized_to(data: AnnData | MuData, arguments: Mapping[str, Any]) -> float:
    """Return what the cells of data to be registered were normalized to; NaN if unknown."""
    if arguments.get("target_sum") is not None:
        return float(arguments["target_sum"])
    modality = (arguments.get("modalities") or {}).get("layer")
    expression = data if modality is None else data.mod[modality]
    return sum_of_cells(expression_matrix(expression, arguments["layer"]), data.obs)


class CodeLoader(AnnDataLoader):
    """scvi-tools' loader, with codes of obs columns as integers."""

    def __init__(self, adata_manager: AnnDataManager, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("data_and_attributes") is None:
            kwargs["data_and_attributes"] = {
                key: np.int64
                if OpenObsField.CATEGORIES in adata_manager.get_state_registry(key)
                else np.float32
                for key in adata_manager.data_registry
            }
        super().__init__(adata_manager, *args, **kwargs)


def without_missing(
    keys: Mapping[str, str | None], obs_of: Callable[[str], Any]
) -> dict[str, str | None]:
    """Return the keys of data that a model is transferred to, without columns these lack.

    Batch, cell line, split and modality may be absent: all cells then count as one.

    Parameters
    ----------
    keys
        Column by what it is for.
    obs_of
        Returns the annotation that a column is looked for in.
    """
    found = dict(keys)
    for name in OPTIONAL:
        key = keys[name]
        if key is None or key in obs_of(name):
            continue
        found[name] = None
        if name != SPLIT and key != name:
            warnings.warn(
                f"The data have no column {key!r} ({name}_key), which those of the model had: all "
                f"cells count as one {name.replace('_', ' ')}.",
                UserWarning,
                stacklevel=settings.warnings_stacklevel,
            )
    return found


def obs_column(manager: AnnDataManager, registry_key: str) -> pd.Series[Any] | None:
    """Return a registered obs column as it stands in the data, ``None`` if there is none."""
    location = manager.data_registry.get(registry_key)
    if location is None:
        return None
    mod_key = location.get("mod_key")
    data = manager.adata if mod_key is None else manager.adata.mod[mod_key]
    if location["attr_key"] not in data.obs and registry_key in OPTIONAL:
        return None
    return obs_columns(data.obs, {registry_key: location["attr_key"]})[registry_key]
