"""Tables that say what a graph, or several, hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from ._knowledge_graph import KnowledgeGraph


def coverage(graph: KnowledgeGraph, genes: Iterable[str]) -> pd.DataFrame:
    """Report how well the graph covers a set of genes.

    Returns
    -------
    One row per gene, in the order given: ``in_graph`` (bool), ``n_incoming`` and
    ``n_outgoing`` edges. A gene with no incoming edge learns nothing from the graph.
    """
    wanted = pd.Index(dict.fromkeys(genes), name="gene")
    incoming = np.bincount(graph.target, minlength=graph.n_nodes)
    outgoing = np.bincount(graph.source, minlength=graph.n_nodes)
    degrees = pd.DataFrame({"n_incoming": incoming, "n_outgoing": outgoing}, index=graph.nodes)
    report = degrees.reindex(wanted, fill_value=0)
    report.insert(0, "in_graph", wanted.isin(graph.nodes))
    return report


def summary(graph: KnowledgeGraph) -> pd.Series:
    """Count nodes and edges and describe degrees and weights.

    Returns
    -------
    ``n_nodes``, ``n_isolated``, ``n_edges``, ``density`` (share of all ordered pairs),
    ``reciprocity`` (share of edges whose reverse is one too), then mean, median and maximum of
    the ``in_degree`` and ``out_degree`` over nodes and of the ``weight`` over edges.
    """
    incoming = np.bincount(graph.target, minlength=graph.n_nodes)
    outgoing = np.bincount(graph.source, minlength=graph.n_nodes)
    pairs = graph.n_nodes * (graph.n_nodes - 1)
    forth = graph.source * graph.n_nodes + graph.target
    back = graph.target * graph.n_nodes + graph.source
    values: dict[str, float] = {
        "n_nodes": graph.n_nodes,
        "n_isolated": int(((incoming + outgoing) == 0).sum()),
        "n_edges": graph.n_edges,
        "density": graph.n_edges / pairs if pairs else np.nan,
        "reciprocity": float(np.isin(back, forth).mean()) if graph.n_edges else np.nan,
    }
    for name, numbers in (
        ("in_degree", incoming),
        ("out_degree", outgoing),
        ("weight", graph.weight),
    ):
        some = len(numbers) > 0
        values[f"{name}_mean"] = float(np.mean(numbers)) if some else np.nan
        values[f"{name}_median"] = float(np.median(numbers)) if some else np.nan
        values[f"{name}_max"] = float(np.max(numbers)) if some else np.nan
    return pd.Series(values, name=graph.name)


def coverage_table(graphs: Sequence[KnowledgeGraph], genes: Iterable[str]) -> pd.DataFrame:
    """Report how many edges lead to each gene in each graph.

    Parameters
    ----------
    graphs
        Graphs with names of their own.
    genes
        Genes, such as the targets of a screen's perturbations. A combination "A+B" stands for
        its parts.

    Returns
    -------
    Genes × graphs: number of incoming edges, missing (``<NA>``) where the gene is no node. So
    ``table.notna().mean()`` is the share of genes in each graph, ``(table > 0).mean()`` the
    share that can learn from it.
    """
    parts = [part for gene in genes for part in str(gene).split("+")]
    columns = {}
    for name, graph in named(graphs).items():
        report = graph.coverage(parts)
        columns[name] = report["n_incoming"].astype("Int64").where(report["in_graph"])
    return pd.DataFrame(columns)


def overlap(graphs: Sequence[KnowledgeGraph]) -> pd.DataFrame:
    """Compare the edge sets of graphs by their Jaccard index.

    Returns
    -------
    Graphs × graphs: share of the edges in either graph that both hold, direction counted; 1 on
    the diagonal, missing between two graphs without edges.
    """
    byname = named(graphs)
    edges = {
        name: pd.MultiIndex.from_frame(g.edges[["source", "target"]]) for name, g in byname.items()
    }
    table = pd.DataFrame(np.nan, index=list(byname), columns=list(byname))
    for first, ours in edges.items():
        for second, theirs in edges.items():
            shared = int(ours.isin(theirs).sum()) if len(ours) and len(theirs) else 0
            union = len(ours) + len(theirs) - shared
            table.loc[first, second] = shared / union if union else np.nan
    return table


def named(graphs: Sequence[KnowledgeGraph]) -> dict[str, KnowledgeGraph]:
    """Return the graphs by name.

    Raises
    ------
    ValueError
        If there are none or two share a name.
    """
    by_name = {graph.name: graph for graph in graphs}
    if not by_name:
        raise ValueError("Give at least one graph.")
    if len(by_name) < len(graphs):
        raise ValueError(
            f"Graphs need names of their own, not {[graph.name for graph in graphs]}; "
            "set name= where they are built."
        )
    return by_name
