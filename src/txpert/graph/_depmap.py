"""The graph of fitness effects in DepMap's cell lines."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ._features import Metric, Sign, from_features
from ._files import FilePath, open_bytes
from ._knowledge_graph import KnowledgeGraph
from ._sources import register_source


@register_source(
    what="Similarity of fitness effects over cell lines",
    license="CC BY 4.0",
    download="by hand (https://depmap.org/portal)",
    reference="doi:10.1016/j.cell.2017.06.010",
)
def depmap(
    path: FilePath,
    *,
    genes: Iterable[str] | None = None,
    metric: Metric = "cosine",
    sign: Sign = "absolute",
    top_fraction: float = 0.01,
    k: int | None = 20,
    name: str = "depmap",
) -> KnowledgeGraph:
    """Connect genes whose knockouts affect the fitness of the same cell lines.

    Parameters
    ----------
    path
        ``CRISPRGeneEffect.csv`` of a DepMap release, ``.gz`` or not: cell lines × genes, the
        columns called "JAK2 (3717)". Missing values are filled in with the gene's mean.
    genes, metric, sign, top_fraction, k, name
        As in :func:`from_features`. The cosine (paper) mostly connects genes that most lines need;
        the correlation connects genes that the same lines need.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is another one, damaged or has a value that is no number, or none of ``genes``
        is there.

    References
    ----------
    Tsherniak et al. (2017), doi 10.1016/j.cell.2017.06.010. https://depmap.org/portal, CC BY 4.0.

    Examples
    --------
    >>> import txpert as tx
    >>> graph = tx.graph.depmap("CRISPRGeneEffect.csv")  # doctest: +SKIP
    """
    effects = _read(path)
    return from_features(
        effects,
        name=name,
        genes=genes,
        metric=metric,
        sign=sign,
        top_fraction=top_fraction,
        k=k,
        missing="mean",
    )


def _read(path: FilePath) -> pd.DataFrame:
    """Return genes × cell lines, without genes that no line has a value for."""
    with open_bytes(path) as content:
        header = content.readline().decode(errors="replace").rstrip("\r\n").split(",")
        genes = pd.Series(header[1:]).str.strip('"').str.extract(r"^(\S+) \(\d+\)$", expand=False)
        if genes.empty or genes.isna().any():
            wrong = header[1 + int(genes.isna().argmax())] if len(header) > 1 else header[0]
            raise ValueError(
                f"{path} is not DepMap's CRISPRGeneEffect.csv: its columns should be called like "
                f"'JAK2 (3717)', but one is {wrong[:60]!r}."
            )
        try:
            table = pd.read_csv(
                content,
                header=None,
                names=["line", *header[1:]],
                index_col="line",
                dtype=dict.fromkeys(header[1:], np.float32),
            )
        except ValueError as error:
            if isinstance(error, pd.errors.ParserError):
                raise
            raise ValueError(f"{path} has a value that is no number: {error}.") from error
    return table.T.set_axis(pd.Index(genes), axis=0).dropna(how="all")
