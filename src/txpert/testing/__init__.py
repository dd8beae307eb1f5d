"""Checks for encoders and predictors of your own."""

from ._encoder import check_encoder
from ._predictor import check_predictor

__all__ = [
    "check_encoder",
    "check_predictor",
]
