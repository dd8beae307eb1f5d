"""Graphs of genes with similar features."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from txpert._layers import named_layers
from txpert._options import check_whole

from ._arrays import Weights
from ._blocks import Similarity, top_pairs, top_per_target
from ._filters import check_fraction
from ._knowledge_graph import KnowledgeGraph
from ._names import clean_names, match_names

if TYPE_CHECKING:
    from anndata import AnnData

Metric = Literal["cosine", "correlation"]
Sign = Literal["absolute", "positive"]


def from_features(
    features: pd.DataFrame | AnnData,
    *,
    name: str,
    genes: Iterable[str] | None = None,
    metric: Metric = "cosine",
    sign: Sign = "absolute",
    top_fraction: float = 0.01,
    k: int | None = 20,
    missing: Literal["raise", "mean"] = "raise",
    gene_key: str | None = None,
    layer: str | None = None,
) -> KnowledgeGraph:
    """Connect genes with similar profiles, such as embeddings or knockout effects.

    Any matrix serves: Perturb-seq effects (open stand-ins for the paper's TxMap), embeddings of
    microscope images (PxMap), fitness effects, protein or text embeddings. The similarity matrix
    is computed in blocks and never held as a whole.

    Parameters
    ----------
    features
        A data frame of genes × features, or an AnnData whose rows are genes. Spaces around gene
        names are removed; rows of one gene are averaged.
    name
        Name of the graph.
    genes
        Genes to connect, by symbol, alias, Ensembl or Entrez id; all by default.
    metric
        "cosine" (paper) of profiles, or "correlation" (Pearson), which first centers each.
    sign
        "absolute" takes ``|similarity|`` as the weight (paper); "positive" keeps only genes that
        are similar, not opposite.
    top_fraction
        Fraction of all pairs of genes to keep, the heaviest (paper: 0.01). 1 keeps all, which a
        screen of few genes needs.
    k
        Incoming edges to keep per target after that (paper: 20); ``None`` for all.
    missing
        What to do with missing values: "raise" an error or fill in the gene's "mean".
    gene_key
        Column of ``obs`` with the gene names, where the features are an AnnData; by default its
        ``obs_names``.
    layer
        Layer to use instead of ``X``, where the features are an AnnData.

    Returns
    -------
    A graph whose weights lie in (0, 1]. A gene with a constant profile, or that only weak pairs
    hold, is a node without edges.

    Raises
    ------
    ValueError
        If a value is infinite, or missing and not allowed to be, or a name is empty, or none of
        ``genes`` is there.
    KeyError
        If there is no such column or layer.

    Examples
    --------
    >>> import pandas as pd
    >>> import txpert as tx
    >>> table = pd.DataFrame([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], index=["A", "B", "C"])
    >>> graph = tx.graph.from_features(table, name="mine", k=1, top_fraction=1)
    >>> graph.edges.iloc[0][["source", "target"]].tolist()
    ['B', 'A']
    """
    check_fraction(top_fraction, "top_fraction")
    check_whole("k", k, least=1, optional=True)
    if not isinstance(features, pd.DataFrame) and not hasattr(features, "obs_names"):
        raise TypeError(
            f"features is a data frame of genes × features or an AnnData, not {features!r}."
        )
    table = _gene_table(features, gene_key, layer)
    values, nodes = _check_values(table, name, missing), table.index
    if genes is not None:
        found = match_names(nodes, genes)
        values, nodes = values[found.to_numpy()], found.index
    similarity, n = _cosine(values, metric, sign), len(nodes)
    if top_fraction < 1:
        edges = top_pairs(similarity, n, number=round(top_fraction * n * (n - 1) / 2))
        edges = edges if k is None else edges.top_k(k)
    else:
        edges = top_per_target(similarity, n, k=k)
    step = f"from_features({metric}, {sign}, top_fraction={top_fraction}, k={k})"
    return KnowledgeGraph(name, nodes, *edges, provenance=[step])


def _gene_table(
    features: pd.DataFrame | AnnData, gene_key: str | None, layer: str | None
) -> pd.DataFrame:
    """Return a data frame with one row per gene."""
    if isinstance(features, pd.DataFrame):
        table = features
        if table.index.nlevels > 1:
            raise ValueError(
                "The features have an index of several levels; keep the one of the genes, such "
                "as features.droplevel(0)."
            )
    else:
        if gene_key is not None and gene_key not in features.obs:
            raise KeyError(f"There is no column {gene_key!r} in obs.")
        if layer is not None and layer not in features.layers:
            there = ", ".join(named_layers(features)) or "none"
            raise KeyError(f"There is no layer {layer!r}; there are {there}.")
        names = features.obs_names if gene_key is None else features.obs[gene_key].to_numpy()
        table = features.to_df(layer).set_axis(pd.Index(names), axis=0)
    names, empty = clean_names(table.index)
    if empty.any():
        row = int(np.flatnonzero(empty)[0])
        raise ValueError(
            f"Row {row} of the features (of {empty.sum():,} such rows) has no gene name "
            "(empty, or text such as 'nan'); drop such rows first."
        )
    table = table.set_axis(names, axis=0)
    if not table.index.is_unique:
        table = table.groupby(level=0, sort=False).mean()
    return table


def _check_values(table: pd.DataFrame, name: str, missing: str) -> Weights:
    """Return the values in single precision, missing ones replaced by the gene's mean."""
    if missing not in ("raise", "mean"):
        raise ValueError(f"missing must be 'raise' or 'mean', not {missing!r}.")
    types = pd.api.types
    words = table.columns[[not types.is_numeric_dtype(dtype) for dtype in table.dtypes]]
    if len(words):
        raise ValueError(f"Feature {words[0]!r} of graph {name!r} is not numeric; drop it.")
    imaginary = table.columns[[types.is_complex_dtype(dtype) for dtype in table.dtypes]]
    if len(imaginary):
        raise ValueError(
            f"Feature {imaginary[0]!r} of graph {name!r} holds complex numbers; take their np.abs."
        )
    values = table.to_numpy(dtype=np.float32, copy=True)
    bad = np.isinf(values) if missing == "mean" else ~np.isfinite(values)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(
            f"Feature {table.columns[column]!r} of gene {table.index[row]!r} is "
            f"{values[row, column]} (graph {name!r}); values must be finite. For missing ones, "
            "missing='mean' fills in the gene's mean."
        )
    gap = np.isnan(values)
    if gap.any():
        count = np.maximum((~gap).sum(axis=1, keepdims=True), 1)
        mean = np.where(gap, 0, values).sum(axis=1, keepdims=True) / count
        values = np.where(gap, mean, values)
    return values


def _cosine(values: Weights, metric: str, sign: str) -> Similarity:
    """Compare rows by cosine; a row of zeros is similar to none."""
    if metric not in ("cosine", "correlation"):
        raise ValueError(f"metric must be 'cosine' or 'correlation', not {metric!r}.")
    if sign not in ("absolute", "positive"):
        raise ValueError(f"sign must be 'absolute' or 'positive', not {sign!r}.")
    if metric == "correlation":
        centered = values - values.mean(axis=1, keepdims=True, dtype=np.float64)
        # What rounding leaves of a constant row is no profile.
        constant = np.ptp(values, axis=1) == 0
        values = np.where(constant[:, None], 0, centered).astype(np.float32)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    unit = np.divide(values, length, out=np.zeros_like(values), where=length > 0)

    def similarity(rows: slice, columns: slice) -> Weights:
        product = unit[rows] @ unit[columns].T
        if sign == "absolute":
            np.abs(product, out=product)
        return np.minimum(product, 1, out=product)

    return similarity
