"""What depends on the inside of scvi-tools: what a new release may move, it moves here alone."""

# view_anndata_setup() calls rich.pretty without importing it.
import rich.pretty  # noqa: F401
from scvi.data.fields._dataframe_field import BaseDataFrameField

__all__ = ["BaseDataFrameField"]
