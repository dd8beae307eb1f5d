"""Simulated screens with the size and statistics of published ones."""

from __future__ import annotations

from typing import Literal

from anndata import AnnData

from txpert.graph import KnowledgeGraph

from ._parameters import SimulationParameters
from ._simulate import simulate

_SIZES = {"full": (2_000, 5_000, 64, 48), "medium": (600, 2_000, 52, 12)}
"""Perturbations, genes, cells per perturbation and batches."""


def simulate_k562_like(
    size: Literal["full", "medium"] = "full",
    *,
    n_cell_lines: int = 1,
    n_doubles: int = 0,
    n_cells: int | None = None,
    graph: KnowledgeGraph | None = None,
    seed: int = 0,
) -> AnnData:
    """Simulate a screen of the size and statistics of the genome-scale ones in K562.

    "full": 2,000 perturbations, 5,000 genes, 48 batches, about 160,000 cells per cell line; half
    a minute and below 3 GB, all of Python included. "medium": 600 perturbations, 2,000 genes, 12
    batches, about 40,000 cells per cell line; seconds.

    **Calibration.** The settings (:meth:`SimulationParameters.k562_like`) stand for what published
    Perturb-seq screens have in common, to the order of magnitude, and were fixed before any model
    was compared; they are not tuned to what a model scores. The results are measured by
    ``benchmarks/simulation_statistics.py``:

    - *Cells per perturbation*: median near 60 and a log standard deviation of 0.5, so that some
      have 25 or fewer: 160,000 cells over 2,000 perturbations leave no more.
    - *Depth*: such screens have some 10,000 counts per cell over all genes (K562 of Norman 2019: a
      median of 13,500, log standard deviation 0.41). The 5,000 genes kept hold about half of them,
      one count per gene and cell, log standard deviation 0.4; some 70% of the entries are zero.
    - *Split-half* Pearson Δ, two halves of all cells: a mean of 0.6 (medium) or 0.7 (full), from
      0.3 and less (few cells, weak effect) to 0.9.
    - *Mean baseline*, Pearson Δ of each perturbation with the mean Δ of the others: a mean between
      0.3 and 0.6, here 0.4 to 0.45 (0.47 in the median of a subset of Norman 2019), by
      ``stress_scale``.
    - *Doubles*: the sum of the parts correlates with most Δ at 0.7 and above, and overshoots more
      often than it falls short (in the same subset 0.71 to 0.99): 30% buffering, 20% synergistic.

    A model is to be given ``simulated_graph(adata, missing=0.3, wrong=0.3)``, not the true graph:
    databases are neither complete nor right. What can be had is bounded by :class:`GraphOracle`,
    which has the true one, and :class:`TruthOracle`.

    Parameters
    ----------
    size
        "full" or "medium".
    n_cell_lines
        Number of cell lines, each a screen of this size (four, say, for unseen cell lines).
    n_doubles
        Number of doubles on top (150, say, of a medium screen for unseen combinations).
    n_cells
        Median number of cells per perturbation and cell line, if not that of the size.
    graph
        Graph over which effects spread; by default GO.
    seed
        Seeds everything.

    Returns
    -------
    As :func:`simulate` does: raw counts, with ``uns["truth"]``.

    Raises
    ------
    ValueError
        If the size is unknown; see also :func:`simulate`.

    References
    ----------
    Replogle et al. (2022), doi 10.1016/j.cell.2022.05.013; Norman et al. (2019),
    doi 10.1126/science.aax4438.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.simulate_k562_like("medium")  # doctest: +SKIP
    """
    if size not in _SIZES:
        raise ValueError(f"size must be 'full' or 'medium', not {size!r}.")
    n_perturbations, n_genes, usual_cells, n_batches = _SIZES[size]
    return simulate(
        n_perturbations,
        n_genes,
        usual_cells if n_cells is None else n_cells,
        n_batches=n_batches,
        n_cell_lines=n_cell_lines,
        n_doubles=n_doubles,
        graph=graph,
        parameters=SimulationParameters.k562_like(n_genes),
        seed=seed,
    )
