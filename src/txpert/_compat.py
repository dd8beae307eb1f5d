"""What depends on the inside of scvi-tools: what a new release may move, it moves here alone."""

# view_anndata_setup() calls rich.pretty without importing it.
import rich.pretty  # noqa: F401
from scvi.data.fields._dataframe_field import BaseDataFrameField
from scvi.train._logger import SimpleLogger

__all__ = ["BaseDataFrameField", "SimpleLogger"]
