"""Effects of perturbations, and the closed-form predictors of them."""

from ._effects import Effects
from ._gene_kernels import GeneKernels
from ._gene_process import GeneGaussianProcess
from ._smoother import Smoother, penalties, rotated
from ._target_effect import TargetEffect

__all__ = [
    "Effects",
    "GeneGaussianProcess",
    "GeneKernels",
    "Smoother",
    "TargetEffect",
    "penalties",
    "rotated",
]
