"""Every import from scvi-tools' private modules: what a new release may move, it moves here."""

from scvi.data._constants import _SCVI_UUID_KEY as SCVI_UUID_KEY
from scvi.data.fields._dataframe_field import BaseDataFrameField

__all__ = ["SCVI_UUID_KEY", "BaseDataFrameField"]
