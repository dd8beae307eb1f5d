"""Computations behind analyses and figures: functions of arrays and tables."""

from ._effects import effect_table, ranked, signature_score
from ._layout import leaf_order, two_coordinates

__all__ = ["effect_table", "leaf_order", "ranked", "signature_score", "two_coordinates"]
