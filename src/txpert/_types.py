"""Array types, named once."""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
"""Floating-point numbers of any precision."""
IntArray = npt.NDArray[np.integer[Any]]
"""Whole numbers, often positions."""
BoolArray = npt.NDArray[np.bool_]
"""Flags."""
Matrix = Any
"""Cells × genes: dense or sparse, in memory, on disk, or a dask array."""
