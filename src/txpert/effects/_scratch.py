"""Large matrices on disk, of which one at a time is in memory."""

from __future__ import annotations

import tempfile
from types import TracebackType

import numpy as np

from txpert._types import FloatArray


class Scratch:
    """Square matrices in single precision in a temporary file, written some rows at a time.

    The file is in the system's folder for temporary files (environment variable ``TMPDIR``) and
    goes with the object.

    Parameters
    ----------
    number
        Number of matrices.
    n
        Their rows.
    """

    def __init__(self, number: int, n: int) -> None:
        self.number = number
        self._n = n
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # __exit__ closes it

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, rows: slice, values: FloatArray) -> None:
        """Write some rows of each matrix, ``(number, n_rows, n)``."""
        for which, of_matrix in enumerate(values.astype(np.float32, copy=False)):
            self._file.seek(4 * self._n * (which * self._n + rows.start))
            self._file.write(np.ascontiguousarray(of_matrix).data)

    def write_one(self, which: int, matrix: FloatArray) -> None:
        """Write one of the matrices, ``(n, n)``, which is symmetric."""
        self._file.seek(4 * self._n**2 * which)
        self._file.write((matrix if matrix.flags.c_contiguous else matrix.T).data)

    def read(self, which: int) -> FloatArray:
        """Return one of the matrices, ``(n, n)``."""
        matrix = np.empty((self._n, self._n), dtype=np.float32)
        self._file.seek(4 * self._n**2 * which)
        self._file.readinto(matrix.data.cast("B"))
        return matrix
