"""``tl.enrichment``: which gene sets are over-represented among genes or perturbations."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._analysis._enrichment import COLUMNS, over_representation
from txpert._constants import PERTURBATION
from txpert._options import check_name, check_names, check_whole
from txpert.data._tokens import parse_targets
from txpert.graph._go import go_sets
from txpert.graph._go_tables import term_names
from txpert.graph._sets import read_gmt

from ._screen_report import REPORT_KEY
from ._trust import TRUST_KEY

ENRICHMENT_KEY = "txpert_enrichment"
GeneSets = Mapping[str, Collection[str]] | str | Path | None
_Query = tuple[str, Collection[str], Collection[str]]


def enrichment(
    genes: AnnData | Mapping[str, Collection[str]] | Collection[str],
    background: Collection[str] | None = None,
    *,
    gene_sets: GeneSets = None,
    n_genes: int = 100,
    min_size: int = 5,
    max_size: int = 500,
    report_key: str = REPORT_KEY,
    trust_key: str = TRUST_KEY,
    key_added: str = ENRICHMENT_KEY,
) -> pd.DataFrame:
    """Test gene sets for over-representation, against the genes that could have been found.

    Parameters
    ----------
    genes
        Genes, or several lists of genes by name. Or data that :func:`screen_report` was run on:
        then the genes that the mean effect of each cell line moves up and down most are tested
        against all genes measured, and, after :func:`trust`, the targets of the best and the worst
        predicted quarter of the perturbations against all scored ones;
        ``uns[key_added]`` is written.
    background
        All genes that could have been found, such as those measured. Needed with lists.
    gene_sets
        Genes by name of the set, or a GMT file (such as Reactome's); by default the packaged Gene
        Ontology, ancestors included.
    n_genes
        Number of genes taken of a mean effect in each direction.
    min_size, max_size
        Sets with fewer or more genes of the background are left out.
    report_key, trust_key, key_added
        Keys in ``uns``: of the report, of what :func:`trust` wrote, and of what is written.

    Returns
    -------
    One row per list and set with a gene found: ``query``, the set (``term``) and the ``name`` of a
    term of the Gene Ontology, its numbers of genes in the background (``n_set``) and found, the
    number ``expected``, ``odds_ratio``, ``p_value`` (one-sided hypergeometric), ``fdr``
    (Benjamini-Hochberg within a list) and the genes.

    Raises
    ------
    KeyError
        If the data have no report.
    ValueError
        If there is no background, none of its genes is in a set, or an option makes no sense.

    Examples
    --------
    >>> import txpert as tx
    >>> sets = {"first": ["A", "B"], "second": ["C", "D"]}
    >>> table = tx.tl.enrichment(["A", "B"], list("ABCDEFGH"), gene_sets=sets, min_size=1)
    >>> table[["term", "n_found"]].values.tolist()
    [['first', 2]]
    >>> round(float(table["p_value"][0]), 4)  # one of the 28 pairs of eight genes
    0.0357
    """
    check_name("key_added", key_added)
    check_whole("n_genes", n_genes, least=1)
    check_whole("min_size", min_size, least=1)
    check_whole("max_size", max_size, least=min_size)
    if isinstance(genes, AnnData):
        queries = list(_of_screen(genes, n_genes, report_key, trust_key))
    else:
        if background is None:
            raise ValueError(
                "Give the background: all genes that could have been found, such as "
                "adata.var_names, or the perturbations of the screen."
            )
        lists = genes if isinstance(genes, Mapping) else {"genes": genes}
        possible = check_names("background", background)
        queries = [(name, check_names("genes", part), possible) for name, part in lists.items()]
    sets = _read(gene_sets, {gene for _, _, around in queries for gene in around})
    known = term_names()
    parts = []
    for name, found, around in queries:
        table = over_representation(found, around, sets, min_size=min_size, max_size=max_size)
        table.insert(0, "query", name)
        table.insert(2, "name", [known.get(term, term) for term in table["term"]])
        parts.append(table)
    filled = [part for part in parts if len(part)]
    columns = ["query", COLUMNS[0], "name", *COLUMNS[1:]]
    result = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)
    if isinstance(genes, AnnData):
        genes.uns[key_added] = result
    return result


def _read(gene_sets: GeneSets, background: set[str]) -> Mapping[str, Collection[str]]:
    if gene_sets is None:
        sets: Mapping[str, Collection[str]] = go_sets(sorted(background))
    elif isinstance(gene_sets, Mapping):
        sets = gene_sets
    else:
        table = read_gmt(gene_sets)
        sets = {str(name): list(part) for name, part in table.groupby("name")["gene"]}
    if not any(background.intersection(members) for members in sets.values()):
        raise ValueError(
            f"None of the {len(background):,} genes of the background is in a gene set; name "
            "genes as the sets do (tx.graph.map_genes gives human symbols)."
        )
    return sets


def _of_screen(adata: AnnData, n: int, report_key: str, trust_key: str) -> Iterator[_Query]:
    report = adata.uns.get(report_key)
    if report is None:
        raise KeyError(f"adata.uns has no {report_key!r}; run tx.tl.screen_report(adata) first.")
    genes = np.asarray(report["genes"], dtype=object)
    for line, effect in zip(report["lines"], report["mean_effect"], strict=True):
        order = np.argsort(-effect, kind="stable")
        up = [gene for gene in order[:n] if effect[gene] > 0]
        down = [gene for gene in order[::-1][:n] if effect[gene] < 0]
        yield f"{line}: mean effect up", list(genes[up]), list(genes)
        yield f"{line}: mean effect down", list(genes[down]), list(genes)
    if trust_key in adata.uns:
        scored = adata.uns[trust_key]["perturbations"].dropna(subset="score")
        scored = scored.sort_values("score", kind="stable")
        quarter = len(scored) // 4
        around = _targets(scored)
        yield "worst predicted", _targets(scored.iloc[:quarter]), around
        yield "best predicted", _targets(scored.iloc[len(scored) - quarter :]), around


def _targets(table: pd.DataFrame) -> list[str]:
    labels = table[PERTURBATION].astype(str)
    return sorted({target for label in labels for target in parse_targets(label)})
