"""Effects of perturbations, and the closed-form predictors of them."""

from ._effects import Effects

__all__ = [
    "Effects",
]
