"""Gene names: cleaned, mapped to current symbols, and matched with nodes."""

from __future__ import annotations

import gzip
import re
import warnings
from collections.abc import Callable, Iterable
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from txpert._gene_names import ENSEMBL_ANY, MISSING_GENES, NODE_SEPARATOR, VERSIONED
from txpert._options import check_names
from txpert._types import BoolArray

# Ensembl ids of the mouse, or symbols such as Stat1.
_MOUSE = r"ENSMUSG|[A-Z][a-z]+\d*[a-z0-9]*$"


def map_genes(names: Iterable[str | int]) -> pd.DataFrame:
    """Map gene names of any kind to current human gene symbols.

    Understands symbols, old symbols and other aliases, Ensembl gene ids (a version such as
    ``.12`` is ignored) and Entrez ids. A current symbol always stands for itself, even where it
    is also an alias of another gene. The table in the package holds protein-coding genes.

    Parameters
    ----------
    names
        Gene names; of repeated ones the first is kept.

    Returns
    -------
    One row per name, in the order given: ``symbol`` (missing where lost), ``kind`` ("symbol",
    "alias", "ensembl", "entrez", "ambiguous" or "unknown") and ``candidates``, the symbols an
    ambiguous alias may stand for, joined by ``|``. ``table["kind"].value_counts()`` sums it up.

    Raises
    ------
    ValueError
        If the names are a single string.

    Notes
    -----
    Source: NCBI Gene, September 2022 (https://www.ncbi.nlm.nih.gov/gene).

    Examples
    --------
    >>> map_genes(["JAK2", "MLL", "ENSG00000115415.20", "6772"])["symbol"].tolist()
    ['JAK2', 'KMT2A', 'STAT1', 'STAT1']
    >>> map_genes(["MLL2"]).loc["MLL2", ["kind", "candidates"]].tolist()
    ['ambiguous', 'KMT2B|KMT2D']
    """
    index = _distinct(names, "name")
    report = pd.DataFrame({"symbol": None, "kind": "unknown", "candidates": ""}, index=index)
    plain = index.to_series().str.replace(VERSIONED, r"\1", regex=True)
    for kind, candidates in _candidates().items():
        found = plain.map(candidates).dropna()
        report.loc[found.index, "candidates"] = found
        report.loc[found.index, "kind"] = kind
    ambiguous = report["candidates"].str.contains("|", regex=False)
    report.loc[ambiguous, "kind"] = "ambiguous"
    report["symbol"] = report["candidates"].where((report["candidates"] != "") & ~ambiguous)
    report["candidates"] = report["candidates"].where(ambiguous, "")
    return report


def match_names(known: pd.Index, genes: Iterable[str]) -> pd.Series:
    """Find the nodes that a user's gene names stand for, whatever either side calls them.

    Parameters
    ----------
    known
        Names of the nodes.
    genes
        Gene names to look up, or combinations of them (``"A+B"``, ``"A_B"``), which stand for
        their parts; spaces around them are removed. Of several that stand for one node the one
        that is the node's own name comes first, then the first in order; then Ensembl ids of
        other versions, then other spellings (``"jak2"``), with a warning.

    Returns
    -------
    Position in ``known`` per gene found, indexed by the gene's name, in the order of ``genes``.

    Raises
    ------
    ValueError
        If none of the genes is known.
    """
    given = _distinct(genes, "gene").str.strip().drop_duplicates()
    wanted = _known_parts(given, known)
    position = pd.Series(known.get_indexer(wanted), index=wanted)
    lost = wanted[position == -1]
    if len(lost):
        symbol = map_genes(known)["symbol"].dropna()
        free = symbol[~symbol.index.isin(wanted)].drop_duplicates()
        node_of = pd.Series(known.get_indexer(free.index), index=free.to_numpy())
        alias = map_genes(lost)["symbol"].map(node_of).dropna().drop_duplicates()
        position[alias.index] = alias.astype(np.int64)
        for differently in (_versions, _spellings):
            found = differently(wanted[position == -1], known, position)
            if len(found):
                position[found.index] = found.astype(np.int64)
    found = position[position >= 0]
    if found.empty:
        raise ValueError(
            f"None of the {len(wanted):,} genes ({_few(wanted)}) is among the {len(known):,} "
            f"known ones ({_few(known)}). {likely_cause(wanted)}"
        )
    return found


def other_names(known: Iterable[str], genes: Iterable[str]) -> dict[str, str]:
    """Find genes that are known by the symbol of another year.

    Parameters
    ----------
    known
        Names of genes, such as the nodes of a graph.
    genes
        Genes looked up, such as the targets of a screen.

    Returns
    -------
    The known name by gene. Genes that are known are left out, and so is whatever is ambiguous: an
    alias of two genes, two names of one gene on either side, a name that is itself looked up.

    Examples
    --------
    >>> other_names(["AARS1", "KMT2B"], ["AARS", "MLL2", "KMT2B"])
    {'AARS': 'AARS1'}
    """
    wanted, held = pd.Index(list(genes), dtype=object), pd.Index(list(known), dtype=object)
    lost, free = wanted.difference(held), held.difference(wanted)
    if lost.empty or free.empty:
        return {}
    symbol_of = [_year_apart(names) for names in (lost, free)]
    lost_by, free_by = (
        pd.Series(s.index, index=s.to_numpy())[~s.duplicated(keep=False).to_numpy()]
        for s in symbol_of
    )
    both = lost_by.index.intersection(free_by.index)
    return dict(sorted(zip(lost_by[both], free_by[both], strict=True)))


def _year_apart(names: pd.Index) -> pd.Series:
    """Return the current symbols of names that are one, or an alias of one."""
    report = map_genes(names)
    return report.loc[report["kind"].isin(["symbol", "alias"]), "symbol"]


def _known_parts(names: pd.Index, known: pd.Index) -> pd.Index:
    """Replace combinations of known genes by their parts."""
    joined = names[~names.isin(known) & names.str.contains(NODE_SEPARATOR)]
    parts = {name: [p for p in re.split(NODE_SEPARATOR, name) if p] for name in joined}
    held = set(known) if parts else set()
    apart = {name: of for name, of in parts.items() if all(part in held for part in of)}
    if not apart:
        return names
    flat = [part for name in names for part in apart.get(name, [name])]
    return pd.Index(flat, dtype=object, name=names.name).drop_duplicates()


def _versions(lost: pd.Index, known: pd.Index, position: pd.Series) -> pd.Series:
    """Find nodes that are an Ensembl id of another version and no other name stands for."""
    lost = lost[lost.str.match(ENSEMBL_ANY)]
    return _same(
        lost, known, position, lambda names: names.str.replace(VERSIONED, r"\1", regex=True)
    )


def _spellings(lost: pd.Index, known: pd.Index, position: pd.Series) -> pd.Series:
    """Find nodes that differ from names in case only and no other name stands for; say which."""
    found = _same(lost, known, position, lambda names: names.str.casefold())
    if len(found):
        pairs = [f"{name!r} as {known[int(i)]!r}" for name, i in found.items()]
        still = lost.difference(found.index, sort=False)
        mouse = still[still.str.match(_MOUSE)]
        lacking = f" Not found: {_few(mouse)}. {likely_cause(mouse)}" if len(mouse) else ""
        warnings.warn(
            f"Read {', '.join(pairs[:5])}{', …' if len(pairs) > 5 else ''}.{lacking}",
            UserWarning,
            stacklevel=4,
        )
    return found


def _same(
    lost: pd.Index, known: pd.Index, position: pd.Series, plain: Callable[[pd.Index], pd.Index]
) -> pd.Series:
    """Find nodes that no name stands for yet and that alone are the same in plain form."""
    if lost.empty:
        return pd.Series(dtype=np.int64)
    nodes = plain(known.astype(str))
    free = ~nodes.duplicated(keep=False)
    free[position[position >= 0].to_numpy(dtype=np.int64)] = False
    node = pd.Series(np.flatnonzero(free), index=nodes[free])
    return plain(lost).to_series(index=lost).map(node).dropna().drop_duplicates()


def likely_cause(names: Iterable[str]) -> str:
    """Return what unknown gene names look like and the remedy."""
    looks = pd.Series(list(names), dtype=object).astype(str)
    if looks.str.match(_MOUSE).mean() > 0.5:
        return "They look like mouse genes; map them to their human orthologs first."
    if looks.str.match(ENSEMBL_ANY).mean() > 0.5:
        return "They look like Ensembl ids of genes unknown here; use gene symbols."
    return "Give human gene symbols, Ensembl gene ids or Entrez ids."


def refuse_mouse(names: Iterable[str], where: str) -> None:
    """Raise a ValueError if most names are spelt as mouse genes are."""
    looks = pd.Series(list(names), dtype=object)
    mouse = looks.str.match(_MOUSE)
    if mouse.mean() > 0.5:
        raise ValueError(
            f"The genes of {where} look like those of a mouse, such as "
            f"{looks[mouse].iloc[0]!r}; fetch the human file or map them to human orthologs."
        )


def is_missing(name: str) -> bool:
    """Return whether a gene name is empty or the text that a missing value is written as."""
    return name.strip() in MISSING_GENES


def checked_nodes(nodes: Iterable[str], graph: str) -> pd.Index:
    """Return the nodes of a graph; refuse what is no gene symbol, or is there twice.

    Parameters
    ----------
    nodes
        Gene symbols.
    graph
        Name of the graph, for messages.

    Raises
    ------
    ValueError
        If a node repeats, is empty or has spaces around it.
    """
    index = pd.Index(np.asarray(list(nodes), dtype=object), name="gene")
    if not index.is_unique:
        repeated = index[index.duplicated()][0]
        raise ValueError(f"Graph {graph!r} names the node {repeated!r} more than once.")
    wrong = unclean_names(index)
    if wrong:
        raise ValueError(
            f"Every node of graph {graph!r} needs a non-empty gene symbol without spaces "
            f"around it, not {wrong[0]!r}."
        )
    return index


def unclean_names(names: pd.Index) -> list[Any]:
    """Return the names that are no text, missing, or have spaces around them."""
    listed = names.tolist()
    text = all(isinstance(name, str) for name in listed)
    if text and MISSING_GENES.isdisjoint(listed) and [name.strip() for name in listed] == listed:
        return []
    return [
        name
        for name in listed
        if not isinstance(name, str) or is_missing(name) or name != name.strip()
    ]


def clean_names(names: pd.Index) -> tuple[pd.Index, BoolArray]:
    """Return names as text without spaces around them, and which of them are missing.

    Whole numbers are written without a point: they are Entrez ids.
    """
    missing = names.isna()
    if names.inferred_type != "string":
        names = pd.Index([_whole(name) for name in names], dtype=object)
    clean = pd.Index(names.astype(str).str.strip(), dtype=object)
    return clean, np.asarray(missing | clean.isin(MISSING_GENES))


def _whole(name: Any) -> Any:
    return int(name) if isinstance(name, float | np.floating) and name.is_integer() else name


def _distinct(names: Iterable[str | int], kind: str) -> pd.Index:
    if isinstance(names, str):
        raise ValueError(f"Give a list of gene names, [{names!r}], not a string.")
    listed = check_names(f"{kind}s", names)
    return pd.Index([str(name) for name in listed], dtype=object, name=kind).drop_duplicates()


def publication_counts(names: Iterable[str | int]) -> pd.Series:
    """Return how many publications name each gene: how much is known of it.

    Parameters
    ----------
    names
        As :func:`map_genes` understands them.

    Returns
    -------
    The count (NCBI Gene, September 2022) by name, NaN for genes not in the table.
    """
    symbols = map_genes(names)["symbol"]
    genes = _read()
    counts = pd.Series(genes["n_pubmed"].astype(float).to_numpy(), index=genes["symbol"])
    return symbols.map(counts).rename("n_pubmed")


def _few(names: pd.Index) -> str:
    return ", ".join(map(str, names[:3])) + (", …" if len(names) > 3 else "")


@cache
def _candidates() -> dict[str, pd.Series]:
    """Return the symbols that each name may stand for, the kinds that win last."""
    genes = _read()
    symbols = genes["symbol"]
    # Many data sets write C1orf43 in capitals.
    written = genes["aliases"] + "|" + symbols.str.upper()
    aliases = genes.assign(name=written.str.split("|")).explode("name")
    return {
        "entrez": _joined(genes["entrez"], symbols),
        "ensembl": _joined(genes["ensembl"], symbols),
        "alias": _joined(aliases["name"], aliases["symbol"]),
        "symbol": pd.Series(symbols.to_numpy(), index=symbols),
    }


def _joined(names: pd.Series, symbols: pd.Series) -> pd.Series:
    """Map each name to its symbol, or to several joined by bars."""
    pairs = pd.DataFrame({"name": names, "symbol": symbols}).drop_duplicates()
    pairs = pairs[pairs["name"] != ""]
    several = pairs["name"].duplicated(keep=False)
    joined = pairs[several].groupby("name")["symbol"].agg("|".join)
    return pd.concat([pairs[~several].set_index("name")["symbol"], joined])


def _read() -> pd.DataFrame:
    packaged = resources.files("txpert.graph") / "data" / "genes_human.tsv.gz"
    with packaged.open("rb") as file, gzip.open(file, "rt", encoding="utf-8") as text:
        return pd.read_csv(text, sep="\t", keep_default_na=False, dtype=str)
