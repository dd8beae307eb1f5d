"""Tables and names of what an AnnData holds, as in scanpy.get."""

from ._delta import delta_df
from ._genes import genes

__all__ = ["delta_df", "genes"]
