"""Noise-free effects of a simulated screen, drawn along a graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from scipy.special import gammaincinv, ndtr

from txpert._constants import PERTURBATION
from txpert._types import FloatArray, IntArray
from txpert.data._tokens import join_targets
from txpert.graph import KnowledgeGraph

from ._parameters import SimulationParameters

ADDITIVE, SYNERGISTIC, BUFFERING = "additive", "synergistic", "buffering"
STRESS_SIZE = 0.3
"""Fraction of the genes that respond to stress."""
STRENGTH_SHAPE = 2.0
"""Shape of the gamma distribution of stress strengths; their mean is 1."""


@dataclass(frozen=True)
class Effects:
    """What perturbations do, without noise.

    Attributes
    ----------
    labels
        Perturbations: single genes, then doubles.
    log_fold_change
        Natural-log fold changes, shape ``(n_lines, n_perturbations, n_genes)``.
    essentiality
        gene and score in (0, 1) of every node of the graph.
    interactions
        perturbation, first, second and kind of every double.
    """

    labels: list[str]
    log_fold_change: FloatArray
    essentiality: pd.DataFrame
    interactions: pd.DataFrame


def draw_effects(
    rng: np.random.Generator,
    graph: KnowledgeGraph,
    targets: list[str],
    genes: list[str],
    settings: SimulationParameters,
    *,
    n_lines: int,
    n_doubles: int,
) -> Effects:
    """Draw activities, loadings and interactions, and multiply them out.

    Raises
    ------
    ValueError
        If there are fewer pairs of targets than doubles asked for.
    """
    row = graph.nodes.get_indexer(pd.Index(targets))
    spread = graph_spread(graph)
    activity, of_line = _draw_activities(rng, spread, n_lines, settings)
    essential = _smooth_noise(rng, spread, 1, settings.essentiality_graph_share)[:, 0]
    strength = _stress_strength(rng, essential[row], settings.stress_essentiality)
    size = np.exp(settings.effect_sd * rng.standard_normal((len(targets), 1)))
    loadings = _draw_loadings(rng, len(genes), n_lines, settings)
    first, second, kind = _draw_doubles(rng, activity[row], n_doubles, settings)
    factor = _interaction_factors(rng, kind, settings)
    column = pd.Index(genes).get_indexer(pd.Index(targets))
    lines = []
    for of_node, loading in zip(of_line, loadings, strict=True):
        moved = np.column_stack([size * of_node[row], strength])
        single = moved @ loading
        measured = np.flatnonzero(column >= 0)
        single[measured, column[measured]] = np.log(settings.knockdown)
        double = (factor * (moved[first] + moved[second])) @ loading
        for target in (column[first], column[second]):
            at = np.flatnonzero(target >= 0)
            double[at, target[at]] = single[first[at], target[at]] + single[second[at], target[at]]
        lines.append(np.vstack([single, double]).astype(np.float32))
    interactions = _interaction_table(np.array(targets, dtype=object), first, second, kind)
    return Effects(
        [*targets, *interactions[PERTURBATION]],
        np.stack(lines),
        pd.DataFrame({"gene": graph.nodes.to_numpy(), "essentiality": ndtr(essential)}),
        interactions,
    )


def graph_spread(graph: KnowledgeGraph) -> sparse.csr_matrix:
    """Return P + P², with P the incoming weights of each target, normalized to sum 1."""
    near = sparse.csr_matrix(
        (graph.weight.astype(float), (graph.target, graph.source)),
        shape=(graph.n_nodes, graph.n_nodes),
    )
    near = sparse.diags(1 / np.maximum(near.sum(axis=1).A1, 1e-12)) @ near
    return (near + near @ near).tocsr()


def _smooth_noise(
    rng: np.random.Generator, spread: sparse.csr_matrix, n: int, share: float
) -> FloatArray:
    """Draw ``n`` standard normal vectors over the nodes, ``share`` of their variance smooth."""
    smooth = spread @ rng.standard_normal((spread.shape[0], n))
    smooth = (smooth - smooth.mean(axis=0)) / np.maximum(smooth.std(axis=0), 1e-12)
    return np.sqrt(share) * smooth + np.sqrt(1 - share) * rng.standard_normal(smooth.shape)


def _draw_activities(
    rng: np.random.Generator,
    spread: sparse.csr_matrix,
    n_lines: int,
    settings: SimulationParameters,
) -> tuple[FloatArray, list[FloatArray]]:
    """Return the activities that cell lines share, nodes × programs, and those of each line."""
    size, share = (settings.n_programs, settings.graph_share), settings.line_activity
    shared = _smooth_noise(rng, spread, *size)
    if n_lines == 1:
        return shared, [shared]
    own = (_smooth_noise(rng, spread, *size) for _ in range(n_lines))
    return shared, [np.sqrt(share) * shared + np.sqrt(1 - share) * values for values in own]


def _stress_strength(rng: np.random.Generator, essential: FloatArray, share: float) -> FloatArray:
    """Draw gamma-distributed strengths, mean 1, tied to essentiality by a Gaussian copula."""
    normal = np.sqrt(share) * essential
    normal += np.sqrt(1 - share) * rng.standard_normal(len(essential))
    quantile = np.clip(ndtr(normal), 1e-9, 1 - 1e-9)
    return gammaincinv(STRENGTH_SHAPE, quantile) / STRENGTH_SHAPE


def _draw_loadings(
    rng: np.random.Generator, n_genes: int, n_lines: int, settings: SimulationParameters
) -> list[FloatArray]:
    """Draw sparse loadings of programs and, last, of stress: one matrix per cell line.

    A line has an entry in common with all others or draws its own, such that two lines share
    ``line_programs`` of them.
    """
    n = settings.n_programs
    size = np.append(np.full(n, settings.program_size), STRESS_SIZE)[:, None]
    scale = np.append(np.full(n, settings.effect_scale), settings.stress_scale)[:, None]

    def draw() -> FloatArray:
        member = rng.random((n + 1, n_genes)) < size
        return member * rng.standard_normal(member.shape) * scale

    shared = draw()
    if n_lines == 1:
        return [shared]
    keep = np.sqrt(settings.line_programs)
    return [np.where(rng.random(shared.shape) < keep, shared, draw()) for _ in range(n_lines)]


def _draw_doubles(
    rng: np.random.Generator, activity: FloatArray, n_doubles: int, settings: SimulationParameters
) -> tuple[IntArray, IntArray, npt.NDArray[np.object_]]:
    """Draw pairs of targets and their kinds.

    Pairs whose targets act most similarly are buffering, as within a pathway, where the second
    loss adds little; of the others, some at random are synergistic.
    """
    n = len(activity)
    if n_doubles > n * (n - 1) // 2:
        raise ValueError(
            f"n_doubles is {n_doubles:,}, but {n:,} targets make {n * (n - 1) // 2:,} pairs only."
        )
    chosen = np.sort(rng.choice(n * (n - 1) // 2, n_doubles, replace=False))
    first, second = (index[chosen] for index in np.triu_indices(n, 1))
    unit = activity / np.linalg.norm(activity, axis=1, keepdims=True)
    likeness = np.einsum("ij,ij->i", unit[first], unit[second])
    n_buffering = round(settings.buffering * n_doubles)
    n_synergistic = min(round(settings.synergistic * n_doubles), n_doubles - n_buffering)
    order = np.argsort(-likeness, kind="stable")
    kind = np.full(n_doubles, ADDITIVE, dtype=object)
    kind[order[:n_buffering]] = BUFFERING
    kind[rng.permutation(order[n_buffering:])[:n_synergistic]] = SYNERGISTIC
    return first, second, kind


def _interaction_factors(
    rng: np.random.Generator, kind: npt.NDArray[np.object_], settings: SimulationParameters
) -> FloatArray:
    """Return what multiplies the summed activity of each double: one half of the programs."""
    n = settings.n_programs
    of_kind = {
        ADDITIVE: 1.0,
        SYNERGISTIC: settings.synergy_factor,
        BUFFERING: settings.buffering_factor,
    }
    value = np.array([of_kind[k] for k in kind])[:, None]
    rank = rng.random((len(kind), n)).argsort(axis=1)
    interacts = np.column_stack([rank < (n + 1) // 2, np.ones(len(kind), dtype=bool)])
    return np.where(interacts, value, 1.0)


def _interaction_table(
    targets: npt.NDArray[np.object_],
    first: IntArray,
    second: IntArray,
    kind: npt.NDArray[np.object_],
) -> pd.DataFrame:
    pairs = {"first": targets[first], "second": targets[second]}
    labels = [join_targets(pair) for pair in zip(*pairs.values(), strict=True)]
    return pd.DataFrame({PERTURBATION: np.array(labels, dtype=object), **pairs, "kind": kind})
