"""From predicted and observed Δ to scores, and repeated measurements for ceilings."""

from ._metrics import Metric, Rows, register_metric, show

__all__ = [
    "Metric",
    "Rows",
    "register_metric",
    "show",
]
