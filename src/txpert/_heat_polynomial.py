"""The heat kernel of a sparse matrix times many columns, by Chebyshev polynomials.

``scipy.sparse.linalg.expm_multiply`` takes 38.3 times as long (``benchmarks/libraries.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import ive

from txpert._accelerator import accelerator
from txpert._types import FloatArray

if TYPE_CHECKING:
    from torch import Tensor

_COLUMNS = 48
"""Columns diffused at a time: with a few thousand nodes they stay in the cache of a core."""
_COLUMNS_ON_GPU = 1_024


class HeatPolynomial:
    r"""Applies :math:`e^{-t (I - S)}` to columns.

    Summed as Chebyshev polynomials of S (Smola and Kondor 2003,
    doi 10.1007/978-3-540-45167-9_12). Products are those of PyTorch, on a GPU if there is one:
    sums of embeddings, which its CPU code does several times as fast as SciPy's product.

    Parameters
    ----------
    adjacency
        S, symmetric, its eigenvalues between −1 and 1.
    times
        Values of t.
    negligible
        Coefficients up to this are left out.
    """

    def __init__(
        self, adjacency: sparse.csr_array, times: npt.ArrayLike, negligible: float
    ) -> None:
        self.n_nodes = adjacency.shape[0]
        self._coefficients = _coefficients(np.asarray(times, dtype=float), negligible)
        self._device = accelerator()
        self._at_once = _COLUMNS if self._device.type == "cpu" else _COLUMNS_ON_GPU
        self._indices = self._tensor(adjacency.indices.astype(np.int32))
        self._offsets = self._tensor(adjacency.indptr.astype(np.int32))
        self._twice = self._tensor((2 * adjacency.data).astype(np.float32))

    def columns(
        self,
        start: npt.NDArray[np.integer],
        rows: npt.NDArray[np.integer] | None = None,
    ) -> FloatArray:
        """Return columns of the kernels, by position of their nodes.

        Parameters
        ----------
        start
            The nodes.
        rows
            Nodes whose rows are returned, by default all.

        Returns
        -------
        ``(n_times, n_rows, n_starts)``.
        """
        n_rows = self.n_nodes if rows is None else len(rows)
        kept = None if rows is None else self._tensor(rows)
        found = np.empty((len(self._coefficients.T), n_rows, len(start)), dtype=np.float32)
        for first in range(0, len(start), self._at_once):
            some = start[first : first + self._at_once]
            ones = np.zeros((self.n_nodes, len(some)), dtype=np.float32)
            ones[some, np.arange(len(some))] = 1
            found[:, :, first : first + self._at_once] = self._diffused(ones, kept)
        return found

    def apply(self, start: FloatArray) -> FloatArray:
        """Return the kernels times columns, ``(n_times, n_nodes, n_columns)``."""
        parts = [
            self._diffused(np.ascontiguousarray(start[:, first : first + self._at_once]))
            for first in range(0, start.shape[1], self._at_once)
        ]
        return np.concatenate(parts, axis=2)

    def _diffused(self, start: FloatArray, rows: Tensor | None = None) -> FloatArray:
        import torch

        with torch.inference_mode():
            term = self._tensor(start)
            n_rows = len(term) if rows is None else len(rows)
            ended = term.new_zeros((self._coefficients.shape[1], n_rows, term.shape[1]))
            before = None
            for order, weights in enumerate(self._coefficients):
                if order:
                    further = self._twice_times(term)  # T_(n+1) = 2 S T_n − T_(n−1), T_1 = S
                    further = further.div_(2) if before is None else further.sub_(before)
                    before, term = term, further
                seen = term if rows is None else term[rows]
                for total, weight in zip(ended, weights.tolist(), strict=True):
                    if weight:
                        total.add_(seen, alpha=weight)
            return np.asarray(ended.cpu().numpy())

    def _twice_times(self, term: Tensor) -> Tensor:
        from torch.nn.functional import embedding_bag

        return embedding_bag(
            self._indices,
            term,
            self._offsets,
            mode="sum",
            per_sample_weights=self._twice,
            include_last_offset=True,
        )

    def _tensor(self, values: np.ndarray) -> Tensor:
        import torch

        return torch.from_numpy(values).to(self._device)


def _coefficients(times: npt.NDArray[np.float64], negligible: float) -> npt.NDArray[np.float64]:
    """Return the coefficients of exp(t (x − 1)) in Chebyshev polynomials of x, terms × times."""
    order = np.arange(int(times.max()) + 40)[:, None]
    found = ive(order, times) * np.where(order > 0, 2, 1)
    found[found <= negligible] = 0
    return found[: found.any(axis=1).nonzero()[0].max() + 1]
