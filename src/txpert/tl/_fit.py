"""Models and baselines in one call, in the form that a benchmark takes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from anndata import AnnData

from txpert._constants import BENCHMARK_KEY, TEST_PERTURBATIONS
from txpert.baselines import Baseline
from txpert.baselines._registry import make_baseline
from txpert.data._meant import warn_of_meant
from txpert.data._targets import perturbed_genes
from txpert.data._tokens import parse_targets
from txpert.graph import KnowledgeGraph
from txpert.graph._several import as_graphs, named_for
from txpert.model import TxPertModel
from txpert.model._registered import unregistered_on_failure


def fit_txpert(
    adata: AnnData,
    seed: int = 0,
    *,
    graphs: KnowledgeGraph | list[KnowledgeGraph],
    setup: Mapping[str, Any] | None = None,
    train: Mapping[str, Any] | None = None,
    **options: Any,
) -> TxPertModel:
    """Set up, make and train a :class:`txpert.TxPertModel` in one call.

    Parameters
    ----------
    adata
        A screen with a split; registered as by :meth:`txpert.TxPertModel.setup_anndata`.
    seed
        Seeds initial weights and training, as ``scvi.settings.seed`` does. That setting is left
        at it.
    graphs
        Knowledge graphs over genes. In :func:`txpert.benchmark`, held-out targets that no graph
        has become nodes without edges.
    setup
        Arguments of ``setup_anndata``.
    train
        Arguments of :meth:`txpert.TxPertModel.train`.
    **options
        Further arguments of :class:`txpert.TxPertModel`, such as ``encoder``.

    Returns
    -------
    The trained model.

    Examples
    --------
    >>> from functools import partial
    >>> import txpert as tx
    >>> quick = {"max_epochs": 1, "enable_progress_bar": False}
    >>> recipe = partial(tx.tl.fit_txpert, graphs=tx.datasets.toy_graph(), train=quick)
    >>> recipe(tx.datasets.toy(), 0).is_trained
    True
    """
    import scvi

    with unregistered_on_failure(adata):
        scvi.settings.seed = seed
        TxPertModel.setup_anndata(adata, **(setup or {}))
        return _made_and_trained(adata, as_graphs(graphs), train or {}, options)


def fit_baseline(adata: AnnData, seed: int = 0, *, kind: str, **options: Any) -> Baseline:
    """Fit one of ``txpert.baselines`` to a screen in one call.

    Parameters
    ----------
    adata
        A screen with a split and the usual obs columns.
    seed
        Not used: baselines have nothing random.
    kind
        Name of the baseline, one of those that :func:`txpert.baselines.show` lists.
    **options
        Arguments of its class, such as ``graphs`` or ``features``.

    Returns
    -------
    The fitted baseline.

    Raises
    ------
    ValueError
        If there is no such baseline, or it needs more than is given.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.tl.fit_baseline(tx.datasets.toy(), kind="general").predict("GENE3").shape
    (1, 60)
    """
    return make_baseline(kind, **options).fit(adata)


def _made_and_trained(
    adata: AnnData, given: list[KnowledgeGraph], train: Mapping[str, Any], options: dict[str, Any]
) -> TxPertModel:
    """Return a trained model that knows what a benchmark is going to ask for."""
    if given:
        given = graphs_for_benchmark(adata, given)
    elif targets := _asked(adata):
        options.setdefault("extra_nodes", sorted(targets.union(perturbed_genes(adata))))
    model = TxPertModel(adata, given, **options)
    model.train(**train)
    return model


def graphs_for_benchmark(adata: AnnData, graphs: Sequence[KnowledgeGraph]) -> list[KnowledgeGraph]:
    """Return graphs that have a node, as the screen names it, for whatever will be asked for.

    A target that no graph knows, by another symbol either, becomes a node without edges of the
    first graph, with a warning.
    """
    targets = _asked(adata)
    found, otherwise = named_for(graphs, sorted(targets.union(perturbed_genes(adata))))
    warn_of_meant(otherwise, stacklevel=5)
    found[0] = _with_nodes(found[0], _unknown(found, targets))
    return found


def _asked(adata: AnnData) -> set[str]:
    """Return the targets that a benchmark is going to ask for."""
    labels = adata.uns.get(BENCHMARK_KEY, {}).get(TEST_PERTURBATIONS, ())
    return {target for label in labels for target in parse_targets(label)}


def _unknown(graphs: list[KnowledgeGraph], targets: set[str]) -> list[str]:
    """Return the targets that no graph has, with a warning."""
    unknown = sorted(targets.difference(*(graph.nodes for graph in graphs)))
    if unknown:
        shown = ", ".join(unknown[:10]) + (", …" if len(unknown) > 10 else "")
        warnings.warn(
            f"No graph has {len(unknown)} of the {len(targets)} genes to be predicted: {shown}. "
            "They become nodes without edges; unless trained on in another condition, their "
            "predictions fall back to the common effect.",
            UserWarning,
            stacklevel=4,
        )
    return unknown


def _with_nodes(graph: KnowledgeGraph, genes: list[str]) -> KnowledgeGraph:
    """Return the graph with further nodes, without edges."""
    parts = graph.source, graph.target, graph.weight, graph.provenance, graph.learned_from
    return KnowledgeGraph(graph.name, [*graph.nodes, *genes], *parts) if genes else graph
