"""The graph of STRING's functional associations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from txpert._options import check_names, check_number

from ._arrays import EdgeArrays, concatenate
from ._download import fetch
from ._files import FilePath, open_bytes, open_text
from ._knowledge_graph import KnowledgeGraph
from ._sources import SourceFile, register_source

# Probability that two proteins chosen at random are associated, in STRING's own formula.
_PRIOR = 0.041
_ROWS = 2_000_000
# Where an alias file gives the official symbol, best first.
_SYMBOL_SOURCES = ("Ensembl_HGNC_symbol", "Ensembl_HGNC", "BioMart_HUGO", "UniProt_GN_Name")


_ADDRESS = "https://stringdb-downloads.org/download/protein"


@register_source(
    what="Functional associations of proteins, by score",
    license="CC BY 4.0",
    download="fetched once (82 MB)",
    reference="doi:10.1093/nar/gkac1000",
    files={
        "string_links": SourceFile(
            f"{_ADDRESS}.links.v12.0/9606.protein.links.v12.0.txt.gz", "12.0", "80 MB"
        ),
        "string_links_detailed": SourceFile(
            f"{_ADDRESS}.links.detailed.v12.0/9606.protein.links.detailed.v12.0.txt.gz",
            "12.0",
            "130 MB",
        ),
        "string_info": SourceFile(
            f"{_ADDRESS}.info.v12.0/9606.protein.info.v12.0.txt.gz", "12.0", "2 MB"
        ),
    },
)
def string(
    links: FilePath | None = None,
    names: FilePath | None = None,
    *,
    genes: Iterable[str] | None = None,
    k: int | None = 20,
    min_score: int = 400,
    channels: Sequence[str] | None = None,
    cache_dir: FilePath | None = None,
    name: str = "string",
) -> KnowledgeGraph:
    r"""Read STRING's functional associations of human proteins.

    Parameters
    ----------
    links
        ``9606.protein.links.v*.txt.gz``, or ``protein.links.detailed`` or ``protein.links.full``
        for ``channels``. Downloaded once (about 80 MB) where ``None``.
    names
        ``9606.protein.info.v*.txt.gz`` or ``9606.protein.aliases.v*.txt.gz``. Downloaded once
        (2 MB) where ``None``.
    genes
        Genes to connect, by symbol, alias, Ensembl or Entrez id; all by default.
    k
        Incoming edges to keep per target, the heaviest (paper: 20); ``None`` for all.
    min_score
        Lowest score to keep, of 1,000. STRING calls 400 medium, 700 high, 900 highest confidence.
    channels
        Evidence to use instead of the combined score, such as ``["experimental", "database"]``,
        each once.
    cache_dir
        Where downloads are kept; see :func:`fetch`.
    name
        Name of the graph.

    Returns
    -------
    A graph with bidirectional edges, its weights the scores as probabilities in (0, 1]. Several
    proteins of one gene count as one, with the heaviest edge.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is another one, damaged or of another species, ``min_score`` is no score from 0
        to 1,000, ``channels`` names none, or none of ``genes`` is there.
    KeyError
        If the file has no such channel.

    Notes
    -----
    Channels are combined as STRING does: :math:`s = 1 - (1 - p) \prod_c (1 - s'_c)` with
    :math:`s'_c = (s_c - p) / (1 - p)` and the prior :math:`p = 0.041`.

    References
    ----------
    Szklarczyk et al. (2023), doi 10.1093/nar/gkac1000. https://string-db.org, CC BY 4.0.

    Examples
    --------
    >>> import txpert as tx
    >>> graph = tx.graph.string()  # doctest: +SKIP
    """
    check_number("min_score", min_score, least=0, most=1000)
    if 0 < min_score < 1:
        raise ValueError(
            f"min_score={min_score} is a probability, but scores go to 1,000; write "
            f"{1000 * min_score:g}."
        )
    if channels is not None:
        channels = list(dict.fromkeys(check_names("channels", channels)))
        if not channels:
            raise ValueError("channels names no channel; leave it out for the combined score.")
    # A file given is read before anything is downloaded, which may be in vain.
    given = None if names is None else _read_names(names)
    links = fetch("string_links", cache_dir=cache_dir) if links is None else links
    proteins, edges = _read_links(links, min_score, channels)
    if given is None:
        names = fetch("string_info", cache_dir=cache_dir)
        given = _read_names(names)
    symbol = given.reindex(proteins)
    code, symbols = pd.factorize(symbol, sort=True)
    if not len(symbols):
        raise ValueError(
            f"{names} names none of the proteins of {links}, such as {', '.join(proteins[:2])}."
        )
    edges = EdgeArrays(code[edges.source], code[edges.target], edges.weight)
    edges = edges.take((edges.source >= 0) & (edges.target >= 0))
    both = concatenate([edges, edges.reverse()])
    told = "combined score" if channels is None else ", ".join(channels)
    graph = KnowledgeGraph(
        name, symbols, *both, provenance=[f"string({told}, min_score={min_score})"]
    )
    graph = graph if genes is None else graph.match(genes)
    return graph if k is None else graph.top_k(k)


def _read_links(
    path: FilePath, min_score: int, channels: Sequence[str] | None
) -> tuple[pd.Index, EdgeArrays]:
    """Read the links in chunks, keep the strong ones; return proteins and edges."""
    with open_bytes(path) as content:
        columns = _header(content, path, channels)
        scores = list(channels or ["combined_score"])
        chunks = pd.read_csv(
            content,
            sep=" ",
            header=None,
            names=columns,
            usecols=["protein1", "protein2", *scores],
            # Categories spare a Python string per field.
            dtype={"protein1": "category", "protein2": "category"},
            chunksize=_ROWS,
        )
        proteins = pd.Index([], dtype=object)
        parts = []
        for chunk in tqdm(chunks, desc="STRING", unit="M lines", unit_scale=_ROWS / 1e6, delay=5):
            score = _score(chunk[scores], path)
            strong = (score >= min_score).to_numpy()
            ends = []
            for column in ("protein1", "protein2"):
                _check_proteins(chunk[column], path)
                seen = chunk[column].cat.categories
                proteins = proteins.append(seen.difference(proteins, sort=False))
                ends.append(proteins.get_indexer(seen)[chunk[column].cat.codes[strong]])
            weight = (score[strong] / 1000).to_numpy(dtype=np.float32)
            parts.append(EdgeArrays(ends[0], ends[1], weight))
    edges = concatenate(parts)
    if not len(edges.weight):
        raise ValueError(f"{path} has no link of a score of at least {min_score} of 1,000.")
    return proteins, edges


def _header(content: IO[bytes], path: FilePath, channels: Sequence[str] | None) -> list[str]:
    columns = content.readline().decode(errors="replace").split()
    if columns[:2] != ["protein1", "protein2"]:
        raise ValueError(
            f"{path} is no STRING links file: its first line should begin 'protein1 protein2' "
            f"but is {' '.join(columns)[:60]!r}. For a table of gene symbols, use "
            "KnowledgeGraph.from_edges."
        )
    for channel in channels or ["combined_score"]:
        if channel not in columns[2:]:
            raise KeyError(
                f"{path} has no channel {channel!r}, only {', '.join(columns[2:])}; the file "
                "protein.links.detailed has them all."
            )
    return columns


def _score(scores: pd.DataFrame, path: FilePath) -> pd.Series:
    """Return scores of up to 1,000, channels combined where there are several."""
    for column, values in scores.items():
        numbers = pd.to_numeric(values, errors="coerce")
        bad = ~numbers.between(0, 1000)
        if bad.any():
            line = int(np.flatnonzero(bad)[0])
            raise ValueError(
                f"{path}, line {values.index[line] + 2}: {column} is "
                f"{values.tolist()[line]!r}, not a score from 0 to 1,000."
            )
    if list(scores) == ["combined_score"]:
        return scores["combined_score"]
    own = ((scores / 1000 - _PRIOR) / (1 - _PRIOR)).clip(lower=0)
    combined = 1 - (1 - own).prod(axis=1)
    return 1000 * (combined + _PRIOR * (1 - combined)).where(combined > 0, 0)


def _check_proteins(column: pd.Series, path: FilePath) -> None:
    if column.isna().any():
        line = column.index[column.isna()][0] + 2
        raise ValueError(f"{path}, line {line}: {column.name} is empty.")
    proteins = column.cat.categories
    other = proteins[~proteins.str.startswith("9606.")]
    if len(other):
        mouse = " (mouse)" if str(other[0]).startswith("10090.") else ""
        raise ValueError(
            f"{path} has the protein {other[0]!r}{mouse} in a column of proteins; human ones "
            "begin with '9606.'. Fetch the file of species 9606."
        )


def _read_names(path: FilePath) -> pd.Series:
    """Return the gene symbol of each protein, from the info or the aliases file."""
    with open_text(path) as text:
        header = text.readline().lstrip("#").rstrip("\n").split("\t")
        rows = (line.rstrip("\n").split("\t") for line in text)
        if header[:2] == ["string_protein_id", "preferred_name"]:
            found = {row[0]: row[1] for row in rows if len(row) > 1 and row[1]}
            return pd.Series(found, dtype=object)
        if header[:3] != ["string_protein_id", "alias", "source"]:
            raise ValueError(
                f"{path} is neither STRING's protein.info nor protein.aliases: its first line is "
                f"{chr(9).join(header)[:60]!r}."
            )
        best: dict[str, tuple[int, str]] = {}
        for row in rows:
            if len(row) > 2 and row[2] in _SYMBOL_SOURCES:
                rank = (_SYMBOL_SOURCES.index(row[2]), row[1])
                best[row[0]] = min(rank, best.get(row[0], rank))
    return pd.Series({protein: symbol for protein, (_, symbol) in best.items()}, dtype=object)
