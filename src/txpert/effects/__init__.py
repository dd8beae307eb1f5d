"""Effects of perturbations, and the closed-form predictors of them."""

from ._line_effects import LineEffects
from ._measured_effects import MeasuredEffects

__all__ = ["LineEffects", "MeasuredEffects"]
