"""What PyTorch computes with: threads, and a GPU, where there is one, for large matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from txpert._types import FloatArray

if TYPE_CHECKING:
    from torch import Tensor, device

_LEAST_WORK = 1e10
"""Multiplications from which on a product is worth the way to a GPU and back."""
_LEAST_ROWS = 1_000
"""Rows from which on a factor is: variances, fitted to fewer, are the same with and without."""


def n_threads() -> int:
    """Return how many threads PyTorch uses."""
    import torch

    return torch.get_num_threads()


def accelerator() -> device:
    """Return the GPU, or the CPU where PyTorch finds none."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_gpu() -> bool:
    """Say whether PyTorch finds a GPU."""
    return accelerator().type != "cpu"


def product(left: FloatArray, right: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Return a matrix product; a large one is made on the GPU, where there is one."""
    work = float(left.shape[0]) * left.shape[1] * right.shape[1]
    if work < _LEAST_WORK or not has_gpu():
        return np.matmul(left, right, out=out)
    dtype = np.result_type(left, right)
    found = (_moved(left, dtype) @ _moved(right, dtype)).cpu().numpy()
    if out is None:
        return np.asarray(found)
    out[...] = found
    return out


def worth_moving(covariance: FloatArray) -> bool:
    """Say whether there is a GPU, and a covariance is large enough to be factorized on it."""
    return len(covariance) >= _LEAST_ROWS and has_gpu()


@dataclass(frozen=True)
class GpuFactor:
    """A Cholesky factor on the GPU; what it takes and returns is in main memory.

    Attributes
    ----------
    lower
        L with C = L Lᵀ.
    """

    lower: Tensor

    @classmethod
    def of(cls, covariance: FloatArray) -> GpuFactor:
        """Factorize a covariance.

        Raises
        ------
        numpy.linalg.LinAlgError
            If it is not positive definite.
        """
        import torch

        lower, failed = torch.linalg.cholesky_ex(_moved(covariance, covariance.dtype))
        if failed.item():
            raise np.linalg.LinAlgError("The covariance is not positive definite.")
        return cls(lower)

    def solve(self, right: FloatArray) -> FloatArray:
        """Return C⁻¹ times columns."""
        import torch

        columns = _moved(right.reshape(len(right), -1), right.dtype).to(self.lower)
        found = torch.cholesky_solve(columns, self.lower).cpu().numpy()
        return np.asarray(found.reshape(right.shape), dtype=right.dtype)

    @property
    def log_determinant(self) -> float:
        """Log |C|."""
        return 2 * float(self.lower.diagonal().log().sum())

    def inverse(self) -> FloatArray:
        """Return C⁻¹."""
        import torch

        return np.asarray(torch.cholesky_inverse(self.lower).cpu().numpy())


def _moved(matrix: FloatArray, dtype: np.dtype) -> Tensor:
    import torch

    return torch.from_numpy(np.asarray(matrix, dtype=dtype)).to(accelerator())
