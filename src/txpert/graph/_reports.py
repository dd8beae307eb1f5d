"""Tables that compare several graphs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from txpert._options import check_names

from ._several import Graphs, named


def coverage_table(graphs: Graphs, genes: Iterable[str]) -> pd.DataFrame:
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
    ``table.notna().mean()`` is the fraction of genes in each graph, and
    ``(table.fillna(0) > 0).mean()`` the fraction that can learn from it.

    Raises
    ------
    ValueError
        If there are no graphs or two share a name, or ``genes`` is a single string.
    TypeError
        If something is no graph.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.graph.coverage_table([tx.datasets.toy_graph()], ["GENE3", "KLF1"])["toy"].tolist()
    [5, <NA>]
    """
    parts = [part for gene in check_names("genes", genes) for part in str(gene).split("+")]
    columns = {}
    for name, graph in named(graphs).items():
        report = graph.coverage(parts)
        columns[name] = report["n_incoming"].astype("Int64").where(report["in_graph"])
    return pd.DataFrame(columns)


def overlap(graphs: Graphs) -> pd.DataFrame:
    """Compare the edge sets of graphs by their Jaccard index.

    Parameters
    ----------
    graphs
        One knowledge graph or several, with names of their own.

    Returns
    -------
    Graphs × graphs: edges in both graphs over edges in either, directions distinguished; 1 on
    the diagonal, missing between two graphs without edges.

    Raises
    ------
    ValueError
        If there are no graphs or two share a name.
    TypeError
        If something is no graph.

    Examples
    --------
    >>> import txpert as tx
    >>> graph = tx.datasets.toy_graph()
    >>> half = tx.graph.KnowledgeGraph.from_edges(graph.edges[::2], name="half")
    >>> tx.graph.overlap([graph, half]).loc["toy", "half"].round(2).item()
    0.5
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
