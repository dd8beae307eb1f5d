"""Graphs of protein interactions: BioGRID and IntAct."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ._files import PLAIN, FilePath, open_bytes
from ._knowledge_graph import KnowledgeGraph
from ._sources import SourceFile, register_source

_ROWS = 200_000
_BIOGRID = {
    "Official Symbol Interactor A": "source",
    "Official Symbol Interactor B": "target",
    "Experimental System Type": "system",
    "Publication Source": "publication",
    "Organism ID Interactor A": "taxon_a",
    "Organism ID Interactor B": "taxon_b",
}
_INTACT = {
    "Alias(es) interactor A": "source",
    "Alias(es) interactor B": "target",
    "Taxid interactor A": "taxon_a",
    "Taxid interactor B": "taxon_b",
    "Confidence value(s)": "score",
}
_GENE = r'uniprotkb:"?([^"|()]+)"?\(gene name\)'


@register_source(
    what="Physical or genetic interactions, by number of publications",
    license="MIT",
    download='fetch("biogrid") (180 MB)',
    reference="doi:10.1002/pro.3978",
    files={
        "biogrid": SourceFile(
            "https://downloads.thebiogrid.org/Download/BioGRID/Latest-Release/"
            "BIOGRID-ORGANISM-LATEST.tab3.zip",
            "latest",
            "180 MB",
        )
    },
)
def biogrid(
    path: FilePath,
    *,
    genes: Iterable[str] | None = None,
    k: int | None = 20,
    system: Literal["physical", "genetic", "all"] = "physical",
    name: str = "biogrid",
) -> KnowledgeGraph:
    """Read human interactions from a BioGRID file; the weight is the number of publications.

    Parameters
    ----------
    path
        ``BIOGRID-ORGANISM-*.tab3.zip`` (its human file is read) or a ``.tab3.txt`` file.
    genes
        Genes to connect, by symbol, alias, Ensembl or Entrez id; all by default.
    k
        Incoming edges to keep per target, the heaviest; ``None`` for all.
    system
        Which kind of experiment to use.
    name
        Name of the graph.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is another one, damaged, or has no such human interaction, or none of ``genes``
        is there.

    References
    ----------
    Oughtred et al. (2021), doi 10.1002/pro.3978. https://thebiogrid.org, MIT license.

    Examples
    --------
    >>> import txpert as tx
    >>> graph = tx.graph.biogrid(tx.graph.fetch("biogrid"))  # doctest: +SKIP
    """
    if system not in ("physical", "genetic", "all"):
        raise ValueError(f"system must be 'physical', 'genetic' or 'all', not {system!r}.")
    table = _read(path, _BIOGRID, "BioGRID tab3", member="Homo_sapiens")
    human = (table["taxon_a"] == "9606") & (table["taxon_b"] == "9606")
    _require(human, path, "human interaction (9606)", table["taxon_a"])
    named = (table["source"] != "-") & (table["target"] != "-")
    kind = (table["system"] == system) | (system == "all")
    _require(kind & human & named, path, f"{system} interaction", table["system"])
    table = table[kind & human & named]
    ends = np.sort(table[["source", "target"]].to_numpy(dtype=str), axis=1)
    pairs = pd.DataFrame({"source": ends[:, 0], "target": ends[:, 1]})
    pairs["publication"] = table["publication"].to_numpy()
    counted = pairs.groupby(["source", "target"])["publication"].nunique()
    edges = counted.rename("weight").reset_index()
    return _finish(edges, name, genes, k, f"biogrid(system={system!r})")


@register_source(
    what="Molecular interactions, by MI score",
    license="CC BY 4.0",
    download='fetch("intact") (400 MB)',
    reference="doi:10.1093/nar/gkab1006",
    files={
        "intact": SourceFile(
            "https://ftp.ebi.ac.uk/pub/databases/intact/current/psimitab/species/human.zip",
            "current",
            "400 MB",
        )
    },
)
def intact(
    path: FilePath,
    *,
    genes: Iterable[str] | None = None,
    k: int | None = 20,
    min_score: float = 0.0,
    name: str = "intact",
) -> KnowledgeGraph:
    """Read human interactions from an IntAct file; the weight is IntAct's MI score.

    Parameters
    ----------
    path
        ``human.zip`` or ``human.txt`` in the PSI-MI TAB format (2.5 to 2.7).
    genes
        Genes to connect, by symbol, alias, Ensembl or Entrez id; all by default.
    k
        Incoming edges to keep per target, the heaviest; ``None`` for all.
    min_score
        Lowest score to keep, of 1.
    name
        Name of the graph.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is another one, damaged, or has no human interaction of such a score, or none
        of ``genes`` is there.

    References
    ----------
    Del Toro et al. (2022), doi 10.1093/nar/gkab1006. https://www.ebi.ac.uk/intact, CC BY 4.0.

    Examples
    --------
    >>> import txpert as tx
    >>> graph = tx.graph.intact(tx.graph.fetch("intact"))  # doctest: +SKIP
    """
    table = _read(path, _INTACT, "PSI-MI TAB", member="human.txt")
    human = table["taxon_a"].str.startswith("taxid:9606(")
    human &= table["taxon_b"].str.startswith("taxid:9606(")
    _require(human, path, "human interaction (taxid:9606)", table["taxon_a"])
    table = table[human]
    edges = pd.DataFrame(
        {
            "source": table["source"].str.extract(_GENE, expand=False),
            "target": table["target"].str.extract(_GENE, expand=False),
            "weight": table["score"].str.extract(r"intact-miscore:([\d.]+)", expand=False),
        }
    ).dropna()
    edges["weight"] = edges["weight"].astype(float)
    strong = edges["weight"] >= min_score
    _require(strong, path, f"interaction with a score of at least {min_score}", table["score"])
    return _finish(edges[strong], name, genes, k, f"intact(min_score={min_score})")


def _read(path: FilePath, columns: dict[str, str], form: str, *, member: str) -> pd.DataFrame:
    """Read some columns of a large table in chunks."""
    with open_bytes(path, member=member) as content:
        header = content.readline().decode(errors="replace").rstrip("\r\n").split("\t")
        header = [column.lstrip("#") for column in header]
        for column in columns:
            if column not in header:
                raise ValueError(
                    f"{path} is no {form} file: its first line has no column {column!r}."
                )
        chunks = pd.read_csv(
            content,
            header=None,
            names=header,
            usecols=list(columns),
            chunksize=_ROWS,
            **PLAIN,
        )
        bar = tqdm(chunks, desc=form, unit="chunk", delay=5)
        parts = [chunk.rename(columns=columns) for chunk in bar]
    return (
        pd.concat(parts, ignore_index=True)
        if parts
        else pd.DataFrame(columns=list(columns.values()))
    )


def _require(chosen: pd.Series, path: FilePath, what: str, column: pd.Series) -> None:
    if not chosen.any():
        seen = ", ".join(map(repr, column.unique()[:3])) or "no rows"
        raise ValueError(f"{path} has no {what} between named genes; it has {seen}.")


def _finish(
    edges: pd.DataFrame, name: str, genes: Iterable[str] | None, k: int | None, step: str
) -> KnowledgeGraph:
    graph = KnowledgeGraph.from_edges(edges, name=name, directed=False)
    graph = KnowledgeGraph(name, graph.nodes, *graph.arrays, provenance=[step])
    graph = graph if genes is None else graph.match(genes)
    return graph if k is None else graph.top_k(k)
