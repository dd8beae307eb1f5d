"""``tx.ablate_graphs``: whether the graph matters, and which part of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from anndata import AnnData

from txpert.evaluation._scoring import SupportsPredict
from txpert.graph import KnowledgeGraph
from txpert.graph._filters import check_fraction
from txpert.graph._several import Graphs, as_graphs
from txpert.splits import Task
from txpert.tl import fit_txpert

from ._benchmark import benchmark
from ._models import Model
from ._result import BenchmarkResult

WHOLE, REWIRED, DROPPED, ONLY, ENCODER = "whole", "rewired", "dropped", "only", "encoder"
_FRACTIONS = (0.25, 0.5, 0.75, 1.0)


def ablate_graphs(
    adata: AnnData,
    graphs: Graphs,
    task: str | Task | None = None,
    seeds: int | Sequence[int] = 0,
    *,
    rewire: Sequence[float] = _FRACTIONS,
    drop: Sequence[float] = _FRACTIONS[:3],
    singles: bool = True,
    encoders: Sequence[str] = (),
    recipe: Callable[..., SupportsPredict] | None = None,
    options: dict[str, Any] | None = None,
    folder: str | Path | None = None,
    **benchmark_options: Any,
) -> BenchmarkResult:
    """Compare a model with itself on graphs that are rewired, thinned out or fewer.

    Every run is one of :func:`benchmark`: the same splits, genes and scores. With ``folder`` an
    interrupted call goes on where it stopped. :func:`txpert.pl.graph_ablation` draws the result.

    Parameters
    ----------
    adata, task, seeds, folder
        As in :func:`benchmark`.
    graphs
        The graphs of the whole model.
    rewire, drop
        Fractions of the edges, above 0, whose source is drawn at random, or that are left out.
    singles
        Whether to fit to each graph alone, too, where there are several.
    encoders
        Encoders to compare on the whole graphs.
    recipe
        Function of (adata, seed, graphs=, encoder=) that returns a fitted model; ``encoder`` is
        given for ``encoders`` only. By default :func:`txpert.tl.fit_txpert`.
    options
        Further arguments of the recipe, such as ``{"train": {"max_epochs": 50}}``.
    **benchmark_options
        Further arguments of :func:`benchmark`.

    Returns
    -------
    A result whose models are called ``whole``, ``rewired 25%``, ``dropped 50%``, ``only go``
    and ``encoder gat``, and the baseline.

    Raises
    ------
    ValueError
        If there is no graph, two share a name, or a fraction is outside (0, 1].

    References
    ----------
    The ablations of Figure 4 of Wenkel, Tu et al. (2026), doi:10.1038/s41587-026-03113-4.

    Examples
    --------
    >>> import txpert as tx
    >>> def kernel(adata, seed, graphs):
    ...     return tx.baselines.KernelBaseline(graphs=graphs).fit(adata)
    >>> result = tx.ablate_graphs(
    ...     tx.datasets.toy(), tx.datasets.toy_graph(), "unseen_perturbation", rewire=[1],
    ...     drop=[0.5], recipe=kernel, ceiling_repeats=0)
    >>> result.models
    ['whole', 'rewired 100%', 'dropped 50%', 'general']
    """
    given = as_graphs(graphs)
    _check(given, [*rewire, *drop])
    fit = partial(recipe or fit_txpert, **(options or {}))
    models: dict[str, Model] = {WHOLE: partial(fit, graphs=given)}
    for fraction in rewire:
        changed = [graph.rewire(fraction) for graph in given]
        models[_named(REWIRED, fraction)] = partial(fit, graphs=changed)
    for fraction in drop:
        changed = [graph.drop(fraction) for graph in given]
        models[_named(DROPPED, fraction)] = partial(fit, graphs=changed)
    if singles and len(given) > 1:
        for graph in given:
            models[f"{ONLY} {graph.name}"] = partial(fit, graphs=[graph])
    for encoder in encoders:
        models[f"{ENCODER} {encoder}"] = partial(fit, graphs=given, encoder=encoder)
    return benchmark(adata, models, task, seeds, folder=folder, **benchmark_options)


def _named(what: str, fraction: float) -> str:
    return f"{what} {100 * fraction:.4g}%"


def _check(graphs: list[KnowledgeGraph], fractions: list[float]) -> None:
    if not graphs:
        raise ValueError("Give at least one graph to ablate.")
    names = [graph.name for graph in graphs]
    if len(set(names)) < len(names):
        raise ValueError(f"Two graphs share a name; give each its own: {', '.join(names)}.")
    for fraction in fractions:
        if check_fraction(fraction) == 0:
            raise ValueError("A fraction of 0 leaves the graphs whole, which is compared anyway.")
