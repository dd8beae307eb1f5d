"""Checks for those who extend the package."""

from ._predictor import check_predictor

__all__ = ["check_predictor"]
