"""The graph of the Gene Ontology."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy import sparse

from txpert._options import check_choice, check_names

from ._files import FilePath
from ._go_tables import Ontology, packaged_go, read_annotations, read_obo
from ._jaccard import information_content, jaccard_edges
from ._knowledge_graph import KnowledgeGraph
from ._names import match_names
from ._sources import SourceFile, register_source

_ONTOLOGIES = ("BP", "MF", "CC")
# https://geneontology.org/docs/guide-go-evidence-codes
_EVIDENCE = (
    "EXP IDA IPI IMP IGI IEP HTP HDA HMP HGI HEP IBA IBD IKR IRD ISS ISO ISA ISM IGC RCA TAS NAS "
    "IC ND IEA"
)
TermWeights = Literal["information", "uniform"]
"""Weights of terms: by information content, or all the same."""


@register_source(
    what="Jaccard index of Gene Ontology terms",
    license="CC BY 4.0",
    download="packaged (September 2022)",
    reference="doi:10.1038/75556",
    files={
        "go_annotations": SourceFile(
            "https://current.geneontology.org/annotations/goa_human.gaf.gz", "current", "15 MB"
        ),
        "go_ontology": SourceFile(
            "https://purl.obolibrary.org/obo/go/go-basic.obo", "current", "31 MB"
        ),
    },
)
def go(
    genes: Iterable[str] | None = None,
    *,
    k: int | None = 20,
    threshold: float = 0.0,
    annotations: FilePath | None = None,
    obo: FilePath | None = None,
    propagate: bool = False,
    evidence: Collection[str] | None = None,
    ontologies: Collection[str] = _ONTOLOGIES,
    term_weights: TermWeights = "information",
    name: str = "go",
) -> KnowledgeGraph:
    r"""Connect genes by the Jaccard index of their Gene Ontology terms.

    Works offline: the package holds the annotations of human protein-coding genes and the
    ontology of September 2022. Edges are bidirectional unless ``k`` drops one direction.

    Parameters
    ----------
    genes
        Genes to connect, by symbol, alias, Ensembl or Entrez id; the nodes keep these names. All
        annotated genes by default. Genes without annotation do not become nodes.
    k
        Number of incoming edges to keep per target, the heaviest (paper: 20); ``None`` for all.
    threshold
        Edges that weigh less are dropped.
    annotations
        A file to read instead: GAF from https://current.geneontology.org/products/pages/downloads.html
        or NCBI's gene2go, ``.gz`` or not.
    obo
        The ontology for ``propagate`` (``go-basic.obo``) instead of the packaged one.
    propagate
        Whether a gene also belongs to the ancestors of its terms along is_a and part_of.
    evidence
        Evidence codes to use, such as ``["EXP", "IDA", "IMP"]``. By default all but ND, which
        means no data and would connect all genes of unknown function.
    ontologies
        Which of BP, MF and CC to use.
    term_weights
        Weight of a term. "information": its information content,
        :math:`\log((N+1)/n) / \log(N+1)` for a term of n of all N annotated genes, so that
        "protein binding" says little and a complex of three subunits much; "uniform": 1 (paper).
    name
        Name of the graph.

    Returns
    -------
    A graph of the genes asked for, its weights in (0, 1].

    Raises
    ------
    ValueError
        If none of the genes is annotated, a filter leaves nothing, an evidence code or ontology is
        unknown, or a file is not what it should be.
    FileNotFoundError
        If a file is missing.

    References
    ----------
    Ashburner et al. (2000), doi 10.1038/75556. The packaged file is CC BY 4.0. The Jaccard index
    with information content: Pesquita et al. (2008), doi 10.1186/1471-2105-9-S5-S4.

    Examples
    --------
    >>> from txpert.graph import go
    >>> go(["JAK2", "STAT1", "IFNGR1", "IFNGR2"], k=2)
    KnowledgeGraph 'go': 4 nodes, 8 edges
    """
    check_choice("term_weights", term_weights, get_args(TermWeights))
    ontologies = check_names("ontologies", ontologies)
    evidence = None if evidence is None else check_names("evidence", evidence)
    table, ontology = packaged_go()
    if annotations is not None:
        table = read_annotations(annotations)
    if obo is not None:
        ontology = read_obo(obo)
    table = _filter(table, evidence, ontologies)
    nodes, terms, members = _membership(table)
    if propagate:
        members = _with_ancestors(members, terms, ontology, ontologies)
    weights = information_content(members) if term_weights == "information" else None
    if genes is not None:
        found = match_names(nodes, genes)
        nodes, members = found.index, members[found.to_numpy()]
    edges = jaccard_edges(members, weights, k=k, threshold=threshold)
    origin = "packaged, 2022-09" if annotations is None else repr(str(annotations))
    codes = "all but ND" if evidence is None else "/".join(evidence)
    step = (
        f"go({origin}, k={k}, threshold={threshold}, propagate={propagate}, "
        f"evidence={codes}, ontologies={'/'.join(ontologies)}, term_weights={term_weights})"
    )
    return KnowledgeGraph(name, nodes, *edges, provenance=[step])


def go_genes() -> pd.Index:
    """Return the symbols of the genes that :func:`go` connects by default, in order.

    Examples
    --------
    >>> import txpert as tx
    >>> len(tx.graph.go_genes())
    18780
    """
    annotations, _ = packaged_go()
    symbols = _filter(annotations, None, _ONTOLOGIES)["symbol"]
    return pd.Index(symbols.cat.remove_unused_categories().cat.categories, name="gene")


def go_sets(genes: Iterable[str], *, propagate: bool = True) -> dict[str, list[str]]:
    """Return the packaged annotations as gene sets, without those of no data (ND).

    Parameters
    ----------
    genes
        Genes, by symbol, alias, Ensembl or Entrez id; the sets keep these names.
    propagate
        Whether a gene also belongs to the ancestors of its terms.

    Returns
    -------
    Genes by term, of terms with a gene.

    Raises
    ------
    ValueError
        If none of the genes is annotated.
    """
    table, ontology = packaged_go()
    nodes, terms, members = _membership(_filter(table, None, _ONTOLOGIES))
    names = terms
    if propagate:
        names = ontology.terms.union(terms)
        members = _with_ancestors(members, terms, ontology, _ONTOLOGIES)
    found = match_names(nodes, genes)
    chosen = members[found.to_numpy()].tocsc()
    held = found.index.to_numpy(dtype=object)
    starts = chosen.indptr
    return {
        str(name): list(held[chosen.indices[starts[i] : starts[i + 1]]])
        for i, name in enumerate(names)
        if starts[i + 1] > starts[i]
    }


def _filter(
    table: pd.DataFrame, evidence: Collection[str] | None, ontologies: Collection[str]
) -> pd.DataFrame:
    unknown = sorted(set(ontologies) - set(_ONTOLOGIES))
    if unknown or not ontologies:
        raise ValueError(f"ontologies must be among {_ONTOLOGIES}, not {list(ontologies)}.")
    codes = {*_EVIDENCE.split(), *table["evidence"].unique()}
    strange = sorted(set(evidence or ()) - codes, key=str)
    if strange:
        raise ValueError(
            f"There is no evidence code {strange[0]!r}, only {', '.join(sorted(codes))}."
        )
    keep = table["ontology"].isin(list(ontologies))
    keep &= table["evidence"] != "ND" if evidence is None else table["evidence"].isin(evidence)
    if not keep.any():
        raise ValueError(
            f"No GO annotation has evidence {evidence} in {list(ontologies)}; "
            f"there are {', '.join(sorted(table['evidence'].unique()))}."
        )
    return table[keep]


def _membership(table: pd.DataFrame) -> tuple[pd.Index, pd.Index, sparse.csr_array]:
    """Return genes, terms and the Boolean matrix of memberships."""
    gene, genes = pd.factorize(table["symbol"], sort=True)
    term, terms = pd.factorize(table["go_id"], sort=True)
    ones = np.ones(len(gene), dtype=bool)
    members = sparse.csr_array((ones, (gene, term)), shape=(len(genes), len(terms)))
    return pd.Index(genes.astype(object)), pd.Index(terms.astype(object)), members


def _with_ancestors(
    members: sparse.csr_array, terms: pd.Index, ontology: Ontology, kinds: Collection[str]
) -> sparse.csr_array:
    """Add every gene to the ancestors, within the ontologies chosen, of its terms."""
    everything = ontology.terms.union(terms)
    column = everything.get_indexer(terms)
    size = len(everything)
    place = sparse.csr_array(
        (np.ones(len(terms), bool), (np.arange(len(terms)), column)), shape=(len(terms), size)
    )
    at = everything.get_indexer(ontology.terms)
    up = sparse.csr_array(
        (np.ones(len(ontology.child), bool), (at[ontology.child], at[ontology.parent])),
        shape=(size, size),
    )
    reached = frontier = members @ place
    while frontier.nnz:
        frontier = (frontier @ up) > reached
        reached = reached + frontier
    outside = ontology.terms[~ontology.kind.isin(list(kinds))]
    return reached[:, ~everything.isin(outside)]
