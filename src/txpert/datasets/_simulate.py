from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData
from scipy import sparse

from txpert._constants import BATCH, CELL_LINE, CONTROL, PERTURBATION
from txpert.graph import KnowledgeGraph, go, go_genes

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SimulationParameters:
    """Statistics of a simulated screen; effects are in natural-log fold changes.

    Attributes
    ----------
    n_programmes
        Number of gene programmes that perturbations move.
    graph_share
        Share of the variance of a gene's programme activity that it has in common with its
        neighbours in the graph; the rest is its own.
    programme_size
        Share of the genes that belong to one programme.
    effect_scale, stress_scale
        Root mean square of programme effects on their genes, and size of the stress effect that
        all perturbations share in different strength.
    knockdown
        Remaining expression of the target.
    batch_scale
        Standard deviation of a gene's shift between batches.
    depth, depth_sd
        Median library size and its log standard deviation.
    dispersion
        Inverse overdispersion of the negative binomial.
    """

    n_programmes: int = 12
    graph_share: float = 0.85
    programme_size: float = 0.15
    effect_scale: float = 0.35
    stress_scale: float = 0.25
    knockdown: float = 0.2
    batch_scale: float = 0.1
    depth: float = 4_000.0
    depth_sd: float = 0.3
    dispersion: float = 8.0


def simulate(
    n_perturbations: int = 200,
    n_genes: int = 1_000,
    n_cells: int = 40,
    *,
    n_controls: int | None = None,
    n_batches: int = 4,
    graph: KnowledgeGraph | None = None,
    parameters: SimulationParameters | None = None,
    seed: int = 0,
) -> AnnData:
    r"""Simulate a CRISPRi screen whose truth is known.

    Every gene has programme activities that are smooth over the graph: with :math:`P` the
    row-normalised incoming weights and :math:`H_0, H_1` Gaussian noise, the activities are
    :math:`H = \sqrt\rho\,\mathrm{std}((P + P^2) H_0) + \sqrt{1 - \rho}\,H_1` with
    :math:`\rho` = ``graph_share``. Knocking gene :math:`p` down changes log expression by

    .. math:: \Delta_p = H_p B + s_p S + e_p \log(\mathrm{knockdown}),

    with sparse programme loadings :math:`B`, a stress response :math:`S` common to all
    perturbations in strength :math:`s_p`, and the target's own loss. Counts are negative
    binomial, with library sizes and gene-wise batch shifts.

    Parameters
    ----------
    n_perturbations
        Number of single genes knocked down.
    n_genes
        Number of genes measured; targets are among them as far as there is room.
    n_cells
        Cells per perturbation, over all batches.
    n_controls
        Control cells; by default a tenth of all cells, but 50 per batch at least.
    n_batches
        Number of batches; cells are spread over them at random.
    graph
        Graph over which effects spread; by default GO (:func:`txpert.graph.go`) over genes drawn
        from it.
    parameters
        Statistics of the screen.
    seed
        Seeds everything.

    Returns
    -------
    Cells × genes with raw counts. ``obs``: perturbation, control, batch, cell_line.
    ``uns["truth"]["log_fold_change"]``: perturbations × genes without noise.

    Raises
    ------
    ValueError
        If the graph has too few nodes with an incoming edge.
    """
    settings = parameters or SimulationParameters()
    rng = np.random.default_rng(seed)
    graph = _default_graph(rng, max(n_genes, n_perturbations)) if graph is None else graph
    targets, genes = _draw_genes(rng, graph, n_perturbations, n_genes)
    effects = _effects(rng, graph, targets, genes, settings)
    if n_controls is None:
        n_controls = max(50 * n_batches, n_perturbations * n_cells // 9)
    labels = np.repeat([CONTROL, *targets], [n_controls] + [n_cells] * len(targets))
    condition = np.repeat(np.arange(len(targets) + 1), [n_controls] + [n_cells] * len(targets))
    batch = _spread_over_batches(rng, condition, n_batches)
    shifts = np.vstack([np.zeros(len(genes)), effects])
    counts = _counts(rng, shifts, condition, batch, settings)
    order = rng.permutation(len(labels))
    obs = pd.DataFrame(
        {
            PERTURBATION: pd.Categorical(labels[order]),
            CONTROL: labels[order] == CONTROL,
            BATCH: pd.Categorical([f"batch_{b + 1}" for b in batch[order]]),
            CELL_LINE: pd.Categorical(["simulated"] * len(order)),
        },
        index=[f"cell_{i}" for i in range(len(order))],
    )
    truth = pd.DataFrame(effects.astype(np.float32), index=targets, columns=genes)
    return AnnData(
        counts[order],
        obs=obs,
        var=pd.DataFrame(index=genes),
        uns={"truth": {"log_fold_change": truth}},
    )


def _default_graph(rng: np.random.Generator, n_genes: int) -> KnowledgeGraph:
    return go(np.sort(rng.choice(go_genes(), n_genes, replace=False)))


def _draw_genes(
    rng: np.random.Generator, graph: KnowledgeGraph, n_perturbations: int, n_genes: int
) -> tuple[list[str], list[str]]:
    """Draw targets among the genes that have a neighbour, then the genes measured."""
    connected = graph.nodes[np.unique(graph.target)]
    if len(connected) < n_perturbations:
        raise ValueError(
            f"Graph {graph.name!r} has {len(connected)} nodes with an incoming edge, too few for "
            f"{n_perturbations} perturbations."
        )
    targets = sorted(rng.choice(connected, n_perturbations, replace=False))
    others = rng.permutation(graph.nodes.difference(targets))
    missing = max(0, n_genes - len(targets) - len(others))
    background = [f"BACKGROUND{i + 1}" for i in range(missing)]
    return targets, sorted([*targets, *others, *background][:n_genes])


def _effects(
    rng: np.random.Generator,
    graph: KnowledgeGraph,
    targets: list[str],
    genes: list[str],
    settings: SimulationParameters,
) -> FloatArray:
    """Return noise-free log fold changes, perturbations × genes."""
    n = settings.n_programmes
    spread = sparse.csr_matrix(
        (graph.weight, (graph.target, graph.source)), shape=(graph.n_nodes, graph.n_nodes)
    )
    spread = sparse.diags(1 / np.maximum(spread.sum(axis=1).A1, 1e-12)) @ spread
    near = spread @ rng.standard_normal((graph.n_nodes, n))
    smooth = near + spread @ near
    share = settings.graph_share
    activity = np.sqrt(share) * _standardise(smooth) + np.sqrt(1 - share) * rng.standard_normal(
        smooth.shape
    )
    member = rng.random((n, len(genes))) < settings.programme_size
    loading = member * rng.standard_normal(member.shape) * settings.effect_scale
    stress = rng.standard_normal(len(genes)) * (rng.random(len(genes)) < 0.3)
    strength = rng.gamma(2.0, 0.5, size=(len(targets), 1)) * settings.stress_scale
    effects = activity[graph.nodes.get_indexer(pd.Index(targets))] @ loading + strength * stress
    column = pd.Index(genes).get_indexer(pd.Index(targets))
    measured = np.flatnonzero(column >= 0)
    effects[measured, column[measured]] = np.log(settings.knockdown)
    return effects


def _standardise(values: FloatArray) -> FloatArray:
    return (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-12)


def _spread_over_batches(
    rng: np.random.Generator, condition: npt.NDArray[np.int64], n_batches: int
) -> npt.NDArray[np.int64]:
    """Draw batches; controls are dealt out evenly so that every batch has some."""
    batch = rng.integers(n_batches, size=len(condition))
    control = condition == 0
    batch[control] = np.arange(control.sum()) % n_batches
    return batch


def _counts(
    rng: np.random.Generator,
    shifts: FloatArray,
    condition: npt.NDArray[np.int64],
    batch: npt.NDArray[np.int64],
    settings: SimulationParameters,
) -> sparse.csr_matrix:
    """Draw negative binomial counts, cells × genes, from the log shifts of the conditions."""
    n_cells, n_genes = len(condition), shifts.shape[1]
    base = rng.normal(0.0, 1.2, n_genes)
    base_of_batch = base + rng.normal(0.0, settings.batch_scale, (batch.max() + 1, n_genes))
    depth = settings.depth * np.exp(rng.normal(0.0, settings.depth_sd, n_cells))
    blocks = []
    for rows in np.array_split(np.arange(n_cells), max(1, n_cells // 2_000)):
        rate = np.exp(base_of_batch[batch[rows]] + shifts[condition[rows]])
        rate *= (depth[rows] / rate.sum(axis=1))[:, None]
        noise = rng.gamma(settings.dispersion, 1 / settings.dispersion, rate.shape)
        blocks.append(sparse.csr_matrix(rng.poisson(rate * noise).astype(np.float32)))
    return sparse.vstack(blocks, format="csr")
