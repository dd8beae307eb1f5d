"""The design of a simulated screen: cell lines, batches, perturbations, numbers of cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from txpert._types import BoolArray, FloatArray, IntArray

from ._parameters import SimulationParameters


@dataclass(frozen=True)
class Design:
    """Which cell has which perturbation, in which context.

    Attributes
    ----------
    line, perturbation, batch
        Of each cell, in random order, shape ``(n_cells,)``; perturbation 0 is the control, and
        batches are numbered within their cell line.
    size
        Cells of each perturbation in each line, controls left out,
        shape ``(n_lines, n_perturbations)``.
    confounded
        Whether a perturbation is found mostly in few batches of the line, the same shape.
    """

    line: IntArray
    perturbation: IntArray
    batch: IntArray
    size: IntArray
    confounded: BoolArray


def line_names(n_lines: int) -> list[str]:
    """Name the cell lines of a simulated screen."""
    return ["simulated"] if n_lines == 1 else [f"line_{i + 1}" for i in range(n_lines)]


def draw_design(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    settings: SimulationParameters,
    *,
    n_cells: int,
    n_controls: int | None,
) -> Design:
    """Lay out a screen of ``shape`` (cell lines, perturbations, batches per line).

    Raises
    ------
    ValueError
        If there are fewer controls than batches.
    """
    n_lines, n_perturbations, n_batches = shape
    if n_controls is None:
        n_controls = max(50 * n_batches, n_perturbations * n_cells // 9)
    if n_controls < n_batches:
        raise ValueError(
            f"n_controls is {n_controls}, but each of the {n_batches} batches of a cell line "
            "needs a control cell."
        )
    size = _draw_sizes(rng, n_lines, n_perturbations, n_cells, settings)
    cells = np.empty((n_lines, n_perturbations + 1, n_batches), dtype=np.int64)
    cells[:, 0] = n_controls // n_batches + (np.arange(n_batches) < n_controls % n_batches)
    confounded = np.zeros(size.shape, dtype=bool)
    for i in range(n_lines):
        probability, confounded[i] = _batch_shares(rng, n_perturbations, n_batches, settings)
        cells[i, 1:] = rng.multinomial(size[i], probability)
    flat = np.repeat(np.arange(cells.size), cells.ravel())
    line, perturbation, batch = np.unravel_index(rng.permutation(flat), cells.shape)
    return Design(line, perturbation, batch, size, confounded)


def _draw_sizes(
    rng: np.random.Generator,
    n_lines: int,
    n_perturbations: int,
    n_cells: int,
    settings: SimulationParameters,
) -> IntArray:
    """Draw numbers of cells, log-normal with median ``n_cells``; 0 where not measured."""
    shape = (n_lines, n_perturbations)
    size = np.rint(n_cells * np.exp(settings.cells_sd * rng.standard_normal(shape)))
    size = np.maximum(size, 1).astype(np.int64)
    if n_lines > 1:
        measured = rng.random(shape) < settings.line_measured
        nowhere = np.flatnonzero(~measured.any(axis=0))
        measured[rng.integers(n_lines, size=len(nowhere)), nowhere] = True
        size *= measured
    return size


def _batch_shares(
    rng: np.random.Generator, n_perturbations: int, n_batches: int, settings: SimulationParameters
) -> tuple[FloatArray, BoolArray]:
    """Return the fraction of each perturbation's cells that each batch expects."""
    confounded = np.zeros(n_perturbations, dtype=bool)
    number = round(settings.confounded * n_perturbations)
    confounded[rng.permutation(n_perturbations)[:number]] = True
    n_few = min(settings.confounded_batches, n_batches)
    favoured = rng.random((n_perturbations, n_batches)).argsort(axis=1) < n_few
    extra = np.where(confounded, settings.confounding, 0.0)[:, None]
    return (1 - extra) / n_batches + extra * favoured / n_few, confounded
