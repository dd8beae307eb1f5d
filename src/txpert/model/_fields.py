"""scvi-tools fields of obs columns with an open vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import rich.table
from anndata import AnnData
from scvi.data import AnnDataManager
from scvi.data.fields import MuDataWrapper

from txpert._compat import BaseDataFrameField
from txpert.data._keys import obs_columns


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

    CATEGORIES = "categories"
    ORIGINAL_KEY = "original_key"

    def __init__(self, registry_key: str, attr_key: str | None) -> None:
        super().__init__(registry_key, attr_key, field_type="obs", required=False)

    def validate_field(self, adata: AnnData) -> None:
        """Check that the column is there."""
        super().validate_field(adata)
        if self.attr_key not in adata.obs:
            raise KeyError(
                f"adata.obs has no column {self.attr_key!r} ({self.registry_key}), which the data "
                f"of the model have. Write it: adata.obs[{self.attr_key!r}] = ..."
            )

    def register_field(self, adata: AnnData) -> dict[str, Any]:
        """Record the column and the values it has."""
        super().register_field(adata)
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
        known = state_registry.get(self.CATEGORIES, np.empty(0, dtype=object))
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


def obs_column(manager: AnnDataManager, registry_key: str) -> pd.Series[Any] | None:
    """Return a registered obs column as it stands in the data, ``None`` if there is none."""
    location = manager.data_registry.get(registry_key)
    if location is None:
        return None
    mod_key = location.get("mod_key")
    data = manager.adata if mod_key is None else manager.adata.mod[mod_key]
    return obs_columns(data.obs, {registry_key: location["attr_key"]})[registry_key]
