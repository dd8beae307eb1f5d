"""Measured effects, one row per perturbation, cell line and modality: what the process learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from txpert._constants import ALL
from txpert._types import FloatArray


@dataclass(frozen=True)
class MeasuredEffects:
    """Effects Δ of perturbations in contexts.

    Attributes
    ----------
    targets
        Target genes of each row.
    cell_line, modality
        Context of each row, ``(n_rows,)``.
    n_cells
        Number of cells that each row is averaged over, ``(n_rows,)``; relative precisions where
        there are no cells.
    delta
        Δ, ``(n_rows, n_genes)``; NaN where a gene was not measured.

    Examples
    --------
    >>> import numpy as np
    >>> import txpert as tx
    >>> effects = tx.effects.MeasuredEffects.of(
    ...     [("KLF1",), ("BAK1", "KLF1"), ("BAK1",)],
    ...     np.array([[0.5, -1.0], [1.0, -0.5], [0.25, np.nan]]),
    ...     cell_line=["K562", "K562", "RPE1"],
    ...     n_cells=[120, 40, 80],
    ... )
    >>> effects.modality.tolist()  # what is given once, or not at all, holds for all rows
    ['all', 'all', 'all']
    >>> k562 = effects.subset(effects.cell_line == "K562")
    >>> np.average(k562.delta, axis=0, weights=k562.n_cells).tolist()
    [0.625, -0.875]
    """

    targets: list[tuple[str, ...]]
    cell_line: npt.NDArray[np.object_]
    modality: npt.NDArray[np.object_]
    n_cells: FloatArray
    delta: FloatArray

    @classmethod
    def of(
        cls,
        targets: Sequence[tuple[str, ...]],
        delta: FloatArray,
        *,
        cell_line: Sequence[str] | str = ALL,
        modality: Sequence[str] | str = ALL,
        n_cells: Sequence[float] | float = 1.0,
    ) -> MeasuredEffects:
        """Bring rows into form; what is given once holds for all of them.

        Raises
        ------
        ValueError
            If a row has no target or no cells, lengths differ, or Δ is infinite.
        """
        delta = np.asarray(delta)
        n = len(targets)
        if delta.ndim != 2 or len(delta) != n:
            raise ValueError(f"delta must have {n} rows, one per perturbation, not {delta.shape}.")
        if not n:
            raise ValueError("There are no effects to learn from.")
        if not all(targets):
            row = next(i for i, names in enumerate(targets) if not names)
            raise ValueError(f"Row {row} has no target; leave controls out.")
        if np.isinf(delta).any():
            raise ValueError("delta is infinite somewhere; write NaN where it was not measured.")
        cells = _every(n_cells, n, "n_cells").astype(float)
        if not (cells > 0).all():
            raise ValueError("n_cells must be positive in each row.")
        line, mode = _every(cell_line, n, "cell_line"), _every(modality, n, "modality")
        return cls([tuple(names) for names in targets], line, mode, cells, delta)

    def __len__(self) -> int:
        return len(self.targets)

    def subset(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.integer]) -> MeasuredEffects:
        """Return some of the rows, by mask or position."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        return MeasuredEffects(
            [self.targets[i] for i in rows],
            self.cell_line[rows],
            self.modality[rows],
            self.n_cells[rows],
            self.delta[rows],
        )


def _every(values: Sequence[object] | str | float, n: int, name: str) -> npt.NDArray[np.object_]:
    """Return one value per row."""
    if isinstance(values, str | float | int):
        return np.full(n, values, dtype=object)
    array = np.asarray(values, dtype=object)
    if array.shape != (n,):
        raise ValueError(
            f"{name} must have one value for each of the {n} rows, not {array.shape}."
        )
    return array
