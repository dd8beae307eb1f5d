"""Graphs of genes that share gene sets: GMT files and Reactome."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy import sparse

from txpert._options import check_number, check_whole

from ._download import fetch
from ._files import PLAIN, FilePath, open_bytes, open_text
from ._jaccard import jaccard_edges
from ._knowledge_graph import KnowledgeGraph
from ._names import is_missing, map_genes, match_names, refuse_mouse
from ._sources import SourceFile, register_source

_MEMBERSHIP = re.compile(r",\d+(\.\d+)?$")
"""How far a gene belongs to a set, as Enrichr's older files write it: ``JAK2,1.0``."""
_REACTOME = ["id", "pathway", "url", "name", "evidence", "species"]


def from_gmt(
    path: FilePath,
    *,
    name: str,
    genes: Iterable[str] | None = None,
    k: int | None = 20,
    threshold: float = 0.0,
    min_size: int = 2,
    max_size: int | None = None,
) -> KnowledgeGraph:
    r"""Connect genes by the Jaccard index of the gene sets they belong to.

    Parameters
    ----------
    path
        A GMT file, as MSigDB, Enrichr and Reactome publish: per line a set's name, a description
        and its genes, separated by tabs. Of Enrichr's ``GENE,1.0`` the gene is read.
    name
        Name of the graph.
    genes
        Genes to connect, by symbol, alias, Ensembl or Entrez id; all by default.
    k
        Incoming edges to keep per target, the heaviest; ``None`` for all.
    threshold
        Edges that weigh less are dropped.
    min_size, max_size
        Sets with fewer or more genes are left out.

    Returns
    -------
    A graph whose weights lie in (0, 1].

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not GMT, damaged or of mouse genes, no set has the right size, or none of
        ``genes`` is there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import txpert as tx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "sets.gmt")
    ...     _ = path.write_text("complex\tof two\tA\tB\n")
    ...     graph = tx.graph.from_gmt(path, name="mine")
    >>> graph.edges[["source", "target"]].to_numpy().tolist()
    [['B', 'A'], ['A', 'B']]
    """
    check_whole("k", k, least=1, optional=True)
    check_number("threshold", threshold)
    check_whole("min_size", min_size, least=0)
    check_whole("max_size", max_size, least=1, optional=True)
    pairs = read_gmt(path)
    size = pairs.groupby("set")["gene"].transform("size")
    pairs = pairs[(size >= min_size) & (size <= (np.inf if max_size is None else max_size))]
    if pairs.empty:
        raise ValueError(f"No gene set of {path} has between {min_size} and {max_size} genes.")
    step = (
        f"from_gmt({str(path)!r}, k={k}, threshold={threshold}, min_size={min_size}, "
        f"max_size={max_size})"
    )
    return _connect(pairs, name, genes, k, threshold, step)


_REACTOME_ADDRESS = "https://reactome.org/download/current"


@register_source(
    what="Jaccard index of Reactome pathways",
    license="CC0",
    download="fetched once (0.3 MB)",
    reference="doi:10.1093/nar/gkad1025",
    files={
        "reactome": SourceFile(
            f"{_REACTOME_ADDRESS}/ReactomePathways.gmt.zip", "current", "0.3 MB"
        ),
        "reactome_ncbi": SourceFile(f"{_REACTOME_ADDRESS}/NCBI2Reactome.txt", "current", "50 MB"),
    },
)
def reactome(
    path: FilePath | None = None,
    *,
    genes: Iterable[str] | None = None,
    k: int | None = 20,
    threshold: float = 0.0,
    uniprot: Mapping[str, str] | None = None,
    cache_dir: FilePath | None = None,
    name: str = "reactome",
) -> KnowledgeGraph:
    """Connect genes by the Jaccard index of the Reactome pathways they belong to.

    Parameters
    ----------
    path
        ``ReactomePathways.gmt.zip``, any other GMT of Reactome, ``NCBI2Reactome.txt`` or
        ``UniProt2Reactome.txt`` (``_All_Levels`` too). The GMT is downloaded once (0.3 MB) where
        ``None``.
    genes, k, threshold, name
        As in :func:`from_gmt`.
    uniprot
        Gene symbol per UniProt accession, which ``UniProt2Reactome.txt`` needs.
    cache_dir
        Where downloads are kept; see :func:`fetch`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not one of these, damaged, or has no human pathway, ``uniprot`` is needed,
        or none of ``genes`` is there.

    References
    ----------
    Milacic et al. (2024), doi 10.1093/nar/gkad1025. https://reactome.org, CC0.

    Examples
    --------
    >>> import txpert as tx
    >>> graph = tx.graph.reactome()  # doctest: +SKIP
    """
    path = fetch("reactome", cache_dir=cache_dir) if path is None else path
    with open_text(path) as text:
        fields = text.readline().rstrip("\n").split("\t")
    if len(fields) == 6 and fields[2].startswith("http"):
        pairs = _read_reactome_table(path, uniprot)
    else:
        pairs = read_gmt(path)
    step = f"reactome({str(path)!r}, k={k}, threshold={threshold})"
    return _connect(pairs, name, genes, k, threshold, step)


def read_gmt(path: FilePath) -> pd.DataFrame:
    """Read a GMT file.

    Returns
    -------
    One row per gene of a set, with the columns ``set`` (line number), ``name`` and ``gene``.
    """
    sets: list[int] = []
    names: list[str] = []
    members: list[str] = []
    n_missing = 0
    with open_text(path) as text:
        for number, line in enumerate(text, start=1):
            fields = line.rstrip("\r\n").split("\t")
            if line.strip() and len(fields) < 2:
                raise ValueError(
                    f"{path}, line {number}: {line.strip()[:60]!r} is no gene set; GMT has a "
                    "name, a description and genes, separated by tabs."
                )
            genes = (_MEMBERSHIP.sub("", gene.strip()) for gene in fields[2:])
            found = dict.fromkeys(gene for gene in genes if gene)
            named = [gene for gene in found if not is_missing(gene)]
            n_missing += len(found) - len(named)
            sets += [number] * len(named)
            names += [fields[0].strip()] * len(named)
            members += named
    if not members:
        raise ValueError(f"{path} holds no gene sets.")
    if n_missing:
        warnings.warn(
            f"{path}: {n_missing:,} genes of sets are text such as 'nan', which stands for a "
            "missing name; they are left out.",
            UserWarning,
            stacklevel=3,
        )
    refuse_mouse(pd.unique(pd.Series(members)), str(path))
    return pd.DataFrame({"set": sets, "name": names, "gene": members})


def _read_reactome_table(path: FilePath, uniprot: Mapping[str, str] | None) -> pd.DataFrame:
    with open_bytes(path) as content:
        table = pd.read_csv(content, header=None, names=_REACTOME, **PLAIN)
    human = table[table["species"] == "Homo sapiens"]
    if human.empty:
        raise ValueError(
            f"{path} has no pathway of Homo sapiens; its sixth column has "
            f"{', '.join(map(repr, table['species'].unique()[:3]))}."
        )
    entrez = human["id"].str.fullmatch(r"\d+").all()
    if not entrez and uniprot is None:
        raise ValueError(
            f"{path} names genes by UniProt accessions such as {human['id'].iloc[0]!r}; give "
            "uniprot={accession: symbol}, or the file NCBI2Reactome.txt instead."
        )
    symbols = map_genes(human["id"].unique())["symbol"] if entrez else uniprot
    pairs = pd.DataFrame({"set": human["pathway"], "gene": human["id"].map(symbols)}).dropna()
    if pairs.empty:
        raise ValueError(
            f"None of the genes of {path}, such as {human['id'].iloc[0]!r}, is known."
        )
    return pairs.drop_duplicates()


def _connect(
    pairs: pd.DataFrame,
    name: str,
    genes: Iterable[str] | None,
    k: int | None,
    threshold: float,
    step: str,
) -> KnowledgeGraph:
    """Build the graph from pairs of set and gene."""
    row, known = pd.factorize(pairs["gene"], sort=True)
    column, sets = pd.factorize(pairs["set"])
    ones = np.ones(len(row), dtype=bool)
    members = sparse.csr_array((ones, (row, column)), shape=(len(known), len(sets)))
    nodes = pd.Index(known)
    if genes is not None:
        found = match_names(nodes, genes)
        nodes, members = found.index, members[found.to_numpy()]
    edges = jaccard_edges(members, k=k, threshold=threshold)
    return KnowledgeGraph(name, nodes, *edges, provenance=[step])
