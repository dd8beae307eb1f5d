"""Tables of what an AnnData holds, as in scanpy.get."""

from ._delta import delta_df

__all__ = ["delta_df"]
