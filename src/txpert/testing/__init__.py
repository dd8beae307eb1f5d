"""Checks of encoders and predictors of your own."""

from ._encoder import check_encoder

__all__ = ["check_encoder"]
