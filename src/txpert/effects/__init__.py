"""Effects of perturbations, and the closed-form predictors of them."""

from ._effects import Effects, condition_table
from ._gene_kernels import GeneKernels
from ._gene_process import GeneProcess
from ._smoother import Smoother, penalties, rotated
from ._target_effect import TargetEffect

__all__ = [
    "Effects",
    "GeneKernels",
    "GeneProcess",
    "Smoother",
    "TargetEffect",
    "condition_table",
    "penalties",
    "rotated",
]
