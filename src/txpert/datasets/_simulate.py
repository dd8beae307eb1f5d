"""``datasets.simulate``: a screen of counts, drawn from a design and its effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from txpert._constants import BATCH, CELL_LINE, CONTROL, PERTURBATION
from txpert._options import check_seed, check_whole
from txpert._types import FloatArray
from txpert.data._tokens import parse_targets
from txpert.graph import KnowledgeGraph, go
from txpert.graph._go import go_genes

from ._counts import draw_counts
from ._design import Design, draw_design, line_names
from ._effects import Effects, draw_effects
from ._parameters import SimulationParameters
from ._truth import TRUTH, describe_truth


def simulate(
    n_perturbations: int = 200,
    n_genes: int = 1_000,
    n_cells: int = 40,
    *,
    n_controls: int | None = None,
    n_batches: int = 4,
    n_cell_lines: int = 1,
    n_doubles: int = 0,
    graph: KnowledgeGraph | None = None,
    parameters: SimulationParameters | None = None,
    seed: int = 0,
) -> AnnData:
    r"""Simulate a CRISPRi screen whose truth is known.

    Every gene has program activities that are smooth over the graph: with :math:`P` the
    row-normalized incoming weights and :math:`H_0, H_1` Gaussian noise, the activities are
    :math:`H = \sqrt\rho\,\mathrm{std}((P + P^2) H_0) + \sqrt{1 - \rho}\,H_1` with
    :math:`\rho` = ``graph_share``. Knocking gene :math:`p` down changes log expression by

    .. math:: \Delta_p = m_p H_p B + s_p S + e_p \log(\mathrm{knockdown}),

    with sparse program loadings :math:`B`, the size :math:`m_p` of the effect, a stress
    response :math:`S` common to all perturbations, stronger (:math:`s_p`) the more essential the
    target is, and the target's own loss. Doubles are additive in this scale, or multiply some of
    the sum (see :class:`SimulationParameters`). Cell lines share baseline, programs and
    activities in part. Counts are negative binomial, with library sizes and gene-wise batch
    shifts; perturbations may be confounded with batches.

    Parameters
    ----------
    n_perturbations
        Number of single genes knocked down.
    n_genes
        Number of genes measured; targets are among them as far as there is room.
    n_cells
        Cells per perturbation and cell line, over all its batches; the median if they differ.
    n_controls
        Control cells per cell line, evenly over its batches; by default a tenth of all cells, but
        50 per batch at least.
    n_batches
        Batches per cell line; each line has its own, and cells are spread over them at random.
    n_cell_lines
        Number of cell lines, called line_1, line_2, …; a single one is called simulated.
    n_doubles
        Number of pairs of the targets perturbed together, on top of the single genes.
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
    ``uns["truth"]``: what made the data; :func:`truth` and :func:`simulated_graph` read its
    ``"delta"``, ``"log_fold_change"`` (conditions × genes) and ``"graph"`` (source, target,
    weight). ``"interactions"`` has perturbation, first, second and kind (additive, synergistic,
    buffering) of every double, ``"essentiality"`` the score of every gene of the graph,
    ``"parameters"`` the statistics.

    Raises
    ------
    ValueError
        If the graph has too few nodes with an incoming edge, there are fewer pairs than doubles
        asked for, fewer controls than batches, or a number is below 1.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.simulate(8, 30, 10, n_batches=2, n_cell_lines=2, n_doubles=3)
    >>> adata.obs["batch"].cat.categories.to_list()
    ['line_1_batch_1', 'line_1_batch_2', 'line_2_batch_1', 'line_2_batch_2']
    >>> tx.datasets.truth(adata).shape
    (22, 30)
    """
    for name, size in (
        ("n_perturbations", n_perturbations),
        ("n_genes", n_genes),
        ("n_cells", n_cells),
        ("n_batches", n_batches),
        ("n_cell_lines", n_cell_lines),
    ):
        check_whole(name, size, least=1)
    check_whole("n_doubles", n_doubles, least=0)
    check_whole("n_controls", n_controls, least=1, optional=True)
    check_seed(seed)
    _check_objects(graph, parameters)
    settings = parameters or SimulationParameters()
    rng = np.random.default_rng(seed)
    if graph is None:
        # Some genes may have no edge, and cannot be targets then.
        number = max(n_genes, n_perturbations + n_perturbations // 10)
        annotated = go_genes()
        if number > len(annotated):
            raise ValueError(
                f"The Gene Ontology has {len(annotated):,} genes, and n_genes={n_genes} and "
                f"n_perturbations={n_perturbations} take {number:,}: lower them, or give a graph."
            )
        drawn = np.sort(rng.choice(annotated, number, replace=False))
        graph = go(drawn, term_weights=settings.term_weights)
    targets, genes = _draw_genes(rng, graph, n_perturbations, n_genes)
    effects = draw_effects(
        rng, graph, targets, genes, settings, n_lines=n_cell_lines, n_doubles=n_doubles
    )
    design = draw_design(
        rng,
        (n_cell_lines, len(effects.labels), n_batches),
        settings,
        n_cells=n_cells,
        n_controls=n_controls,
    )
    base = _draw_baseline(rng, n_cell_lines, n_genes, settings)
    known = describe_truth(graph, genes, base, effects, design, settings)
    return AnnData(
        _draw_cells(rng, base, effects, design, n_batches, settings),
        obs=_annotate(effects.labels, design, n_cell_lines, n_batches),
        var=pd.DataFrame(index=genes),
        uns={TRUTH: known},
    )


def _check_objects(graph: Any, parameters: Any) -> None:
    for name, value, kind in (
        ("graph", graph, KnowledgeGraph),
        ("parameters", parameters, SimulationParameters),
    ):
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{name} is a {kind.__name__}, not {value!r}.")


def _draw_genes(
    rng: np.random.Generator, graph: KnowledgeGraph, n_perturbations: int, n_genes: int
) -> tuple[list[str], list[str]]:
    """Draw targets among the genes that have a neighbor, then the genes measured."""
    connected = graph.nodes[np.unique(graph.target)]
    usable = dict.fromkeys(g for g in connected if parse_targets(str(g)) == (str(g),))
    if len(usable) < n_perturbations:
        raise ValueError(
            f"Graph {graph.name!r} has {len(usable)} nodes with an incoming edge, too few for "
            f"{n_perturbations} perturbations."
        )
    drawn = set(rng.choice(connected, n_perturbations, replace=False))
    # A gene such as CTRL reads as a control; another one stands in, so that draws stay the same.
    spare = (gene for gene in usable if gene not in drawn)
    targets = sorted(gene if gene in usable else next(spare) for gene in drawn)
    others = rng.permutation(graph.nodes.difference(targets))
    missing = max(0, n_genes - len(targets) - len(others))
    background = [f"BACKGROUND{i + 1}" for i in range(missing)]
    return targets, sorted([*targets, *others, *background][:n_genes])


def _draw_baseline(
    rng: np.random.Generator, n_lines: int, n_genes: int, settings: SimulationParameters
) -> FloatArray:
    """Draw log expression of unperturbed cells, cell lines × genes."""
    shared = settings.baseline_sd * rng.standard_normal((1, n_genes))
    if n_lines == 1:
        return shared
    own = settings.baseline_sd * rng.standard_normal((n_lines, n_genes))
    return np.sqrt(settings.line_baseline) * shared + np.sqrt(1 - settings.line_baseline) * own


def _draw_cells(
    rng: np.random.Generator,
    base: FloatArray,
    effects: Effects,
    design: Design,
    n_batches: int,
    settings: SimulationParameters,
) -> sparse.csr_matrix:
    """Draw the counts of every cell of the design."""
    n_lines, n_perturbations, n_genes = effects.log_fold_change.shape
    shift = settings.batch_scale * rng.standard_normal((n_lines, n_batches, n_genes))
    context_rate = np.exp(base[:, None] + shift, dtype=np.float32).reshape(-1, n_genes)
    fold = np.ones((n_lines, n_perturbations + 1, n_genes), dtype=np.float32)
    np.exp(effects.log_fold_change, out=fold[:, 1:])
    return draw_counts(
        rng,
        context_rate,
        fold.reshape(-1, n_genes),
        design.line * n_batches + design.batch,
        design.line * (n_perturbations + 1) + design.perturbation,
        settings,
    )


def _annotate(labels: list[str], design: Design, n_lines: int, n_batches: int) -> pd.DataFrame:
    lines = line_names(n_lines)
    prefixes = [f"{line}_" for line in lines] if n_lines > 1 else [""]
    batches = [f"{prefix}batch_{b + 1}" for prefix in prefixes for b in range(n_batches)]
    names = {
        PERTURBATION: (np.array([CONTROL, *labels], dtype=object), design.perturbation),
        BATCH: (np.array(batches, dtype=object), design.line * n_batches + design.batch),
        CELL_LINE: (np.array(lines, dtype=object), design.line),
    }
    obs = pd.DataFrame(
        {column: pd.Categorical(name[code]) for column, (name, code) in names.items()},
        index=[f"cell_{i}" for i in range(len(design.line))],
    )
    obs.insert(1, CONTROL, design.perturbation == 0)
    return obs
