"""Effects of perturbations, and predictors of them in closed form."""

from ._contexts import Context, ContextFactors
from ._gene_kernels import GeneKernels
from ._gene_process import GeneGaussianProcess, Posterior
from ._measured_effects import MeasuredEffects

__all__ = [
    "Context",
    "ContextFactors",
    "GeneGaussianProcess",
    "GeneKernels",
    "MeasuredEffects",
    "Posterior",
]
