"""Readers of Gene Ontology files; all give the same two tables."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import IO, NamedTuple

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ._files import PLAIN, FilePath, open_text
from ._names import map_genes

_GAF = {2: "symbol", 3: "qualifier", 4: "go_id", 6: "evidence", 8: "ontology", 12: "taxon"}
_GENE2GO = {
    "#tax_id": "taxon",
    "GeneID": "symbol",
    "GO_ID": "go_id",
    "Evidence": "evidence",
    "Qualifier": "qualifier",
    "Category": "ontology",
}
_ONTOLOGY = {
    **{"F": "MF", "P": "BP", "C": "CC"},
    **{"Function": "MF", "Process": "BP", "Component": "CC"},
    **{"molecular_function": "MF", "biological_process": "BP", "cellular_component": "CC"},
}


class Ontology(NamedTuple):
    """Terms, the ontology (BP, MF or CC) of each, and is_a/part_of links by position."""

    terms: pd.Index
    kind: pd.Index
    child: np.ndarray
    parent: np.ndarray


def packaged_go() -> tuple[pd.DataFrame, Ontology]:
    """Return the annotations and the ontology that the package holds (September 2022)."""
    packaged = resources.files("txpert.graph") / "data" / "go_human.npz"
    with packaged.open("rb") as file, np.load(file) as arrays:
        go = dict(arrays)
    terms = pd.Index([f"GO:{number:07d}" for number in go["terms"]])
    genes, codes, kinds = (
        go[key].astype(object) for key in ("genes", "evidence_codes", "ontologies")
    )
    gene = np.repeat(np.arange(len(genes)), go["n_annotations"])
    annotations = pd.DataFrame(
        {
            "symbol": pd.Categorical.from_codes(gene, genes),
            "go_id": pd.Categorical.from_codes(go["term"], terms),
            "evidence": pd.Categorical.from_codes(go["evidence"], codes),
            "ontology": pd.Categorical.from_codes(go["ontology"][go["term"]], kinds),
        }
    )
    return annotations, Ontology(terms, pd.Index(kinds[go["ontology"]]), go["child"], go["parent"])


@cache
def term_names() -> Mapping[str, str]:
    """Return the names of the packaged terms by identifier."""
    packaged = resources.files("txpert.graph") / "data" / "go_names.tsv.gz"
    lines = gzip.decompress(packaged.read_bytes()).decode().splitlines()
    return MappingProxyType(dict(line.split("\t") for line in lines))


def read_annotations(path: FilePath) -> pd.DataFrame:
    """Read human annotations from a GAF file or NCBI's gene2go.

    Annotations with the qualifier NOT are left out, and so are Entrez ids that are unknown.

    Returns
    -------
    One row per annotation: ``symbol``, ``go_id``, ``evidence`` and ``ontology`` (BP, MF or CC).

    Raises
    ------
    ValueError
        If the file is neither, is damaged, or has no human annotation.
    """
    with open_text(path) as text:
        first = text.readline()
        if first.startswith("!gaf-version"):
            table = _read_gaf(text, path)
        elif first.startswith("#tax_id"):
            table = _read_gene2go(text, first, path)
        else:
            raise ValueError(
                f"{path} is neither a GAF file, which begins with '!gaf-version', nor NCBI's "
                f"gene2go, which begins with '#tax_id': its first line is {first[:60]!r}."
            )
    table = table[~table["qualifier"].str.startswith("NOT") & (table["symbol"] != "")]
    unknown = table.loc[~table["ontology"].isin(list(_ONTOLOGY)), "ontology"]
    if len(unknown):
        raise ValueError(
            f"{path} has an annotation with the ontology {unknown.iloc[0]!r}, which must be one "
            f"of {', '.join(_ONTOLOGY)}."
        )
    table = table.assign(ontology=table["ontology"].map(_ONTOLOGY))
    return table[["symbol", "go_id", "evidence", "ontology"]].drop_duplicates()


def read_obo(path: FilePath) -> Ontology:
    """Read terms and their is_a and part_of links from the ontology's OBO file.

    Raises
    ------
    ValueError
        If the file is damaged or holds no GO terms.
    """
    kinds: dict[str, str] = {}
    links: list[tuple[str, str]] = []
    with open_text(path) as text:
        stanza = term = ""
        for line in text:
            tag, _, value = line.partition(":")
            value = value.partition("!")[0].strip()
            if line.startswith("["):
                stanza = line.strip()
            elif stanza != "[Term]":
                continue
            elif tag == "id":
                term = value
            elif tag == "namespace":
                kinds[term] = _ONTOLOGY.get(value, "")
            elif tag == "is_a" or (tag == "relationship" and value.startswith("part_of ")):
                links.append((term, value.split()[-1]))
    terms = pd.Index([term for term, kind in kinds.items() if kind], dtype=object)
    if terms.empty:
        raise ValueError(f"{path} holds no Gene Ontology terms; expected go-basic.obo.")
    ends = [terms.get_indexer(pd.Index(column)) for column in zip(*links, strict=True)]
    child, parent = ends if ends else (np.empty(0, int), np.empty(0, int))
    inside = (child >= 0) & (parent >= 0)
    kind = pd.Index([kinds[term] for term in terms])
    return Ontology(terms, kind, child[inside], parent[inside])


def _read_gaf(text: IO[str], path: FilePath) -> pd.DataFrame:
    """Read the columns needed of a GAF file whose first line is behind us."""
    rows = "".join(line for line in text if not line.startswith("!"))
    try:
        table = pd.read_csv(io.StringIO(rows), header=None, usecols=list(_GAF), **PLAIN)
    except ValueError as error:  # pandas' own errors of parsing are ValueErrors
        raise ValueError(f"{path} is not a GAF file of 15 to 17 columns: {error}.") from error
    table = table.rename(columns=_GAF)
    # "taxon:9606|taxon:1280" is a human gene acting on another organism.
    human = table["taxon"].str.partition("|")[0] == "taxon:9606"
    _require_human(human, table["taxon"], path)
    return table[human]


def _read_gene2go(text: IO[str], header: str, path: FilePath) -> pd.DataFrame:
    """Read the human rows of gene2go, which holds all species, in chunks."""
    columns = header.rstrip("\n").split("\t")
    missing = sorted(set(_GENE2GO) - set(columns))
    if missing:
        raise ValueError(f"{path} has no column {missing[0]!r}, which gene2go should have.")
    chunks = pd.read_csv(
        text, header=None, names=columns, usecols=list(_GENE2GO), chunksize=1_000_000, **PLAIN
    )
    parts, taxa = [], pd.Series(dtype=str)
    for chunk in tqdm(chunks, desc="gene2go", unit="M rows", delay=5):
        table = chunk.rename(columns=_GENE2GO)
        taxa = table["taxon"]
        parts.append(table[taxa == "9606"])
    table = pd.concat(parts) if parts else pd.DataFrame(columns=list(_GENE2GO.values()))
    _require_human(table["taxon"] == "9606", taxa, path)
    entrez = map_genes(table["symbol"].unique())["symbol"]
    return table.assign(symbol=table["symbol"].map(entrez).astype(object).fillna(""))


def _require_human(human: pd.Series, taxa: pd.Series, path: FilePath) -> None:
    if not human.any():
        seen = ", ".join(map(repr, taxa.unique()[:3])) or "no rows"
        raise ValueError(
            f"{path} has no human annotations (taxon 9606); its taxon column has {seen}. "
            "Fetch the human file."
        )
