"""Effects of perturbations, and the closed-form predictors of them."""

from ._co_response import co_response
from ._effects import Effects
from ._gene_kernels import GeneKernels
from ._gene_process import GeneGaussianProcess, Posterior
from ._line_effects import LineEffects
from ._measured_effects import MeasuredEffects
from ._smoother import Smoother, penalties, rotated
from ._target_effect import TargetEffect

__all__ = [
    "Effects",
    "GeneGaussianProcess",
    "GeneKernels",
    "LineEffects",
    "MeasuredEffects",
    "Posterior",
    "Smoother",
    "TargetEffect",
    "co_response",
    "penalties",
    "rotated",
]
