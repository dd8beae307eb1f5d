"""What is said about labels that do not name genes as the data do."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from txpert._constants import COMBINATION
from txpert._gene_names import ENSEMBL_ID
from txpert.graph import map_genes

from ._once import warn_once
from ._reading import LabelReading, read_labels
from ._tokens import is_neutral_target, parse_targets

_FIX = (
    "Rewrite them by tx.pp.harmonize_labels(adata), which returns what it changed; "
    "tx.pp.split keeps them together."
)
_WHAT = {
    "separator": (
        "look like combinations or controls joined by another sign than '+'",
        "Each counts as one gene of its own, so that a gene may be trained on in one of them "
        "while it is held out alone.",
    ),
    "guide": (
        "look like guides",
        "Each counts as a gene of its own, unknown to graphs, so that one guide of a gene may be "
        "trained on while another is held out.",
    ),
    "spelling": (
        "differ from others by case, spaces or punctuation only",
        "They count as different genes, so that one may be trained on while the other is held "
        "out.",
    ),
    "alias": (
        "are other names of genes that are perturbed, too",
        "They count as different genes, so that one may be trained on while the other is held "
        "out.",
    ),
}


def warn_of_labels(
    labels: pd.Index,
    genes: pd.Index,
    controls: Iterable[str] = (),
    var: pd.DataFrame | None = None,
) -> LabelReading:
    """Warn once per data of labels that stand for genes which others stand for too.

    Parameters
    ----------
    labels
        Canonical labels.
    genes
        Var names.
    controls
        Labels of flagged controls.
    var
        Annotation of the genes, among which another column may hold the names of targets.

    Returns
    -------
    What the labels seem to mean.
    """
    reading = read_labels(labels, genes)
    shared = _shared(reading)
    for kind, (what, why) in _WHAT.items():
        found = [
            label
            for label, of_label in reading.kinds.items()
            if of_label == kind and (kind in ("separator", "guide") or label in shared)
        ]
        if found:
            shown = ", ".join(f"{label!r} ({reading.label(label)})" for label in found[:3])
            said = f"{len(found):,} perturbations {what}: {_more(shown, found)}. {why} {_FIX}"
            _warn(said, genes)
    _warn_of_unread(reading, genes)
    codes = [label for label in labels if label.isdigit() and label not in genes]
    if codes:
        shown = _more(", ".join(map(repr, codes[:3])), codes)
        _warn(
            f"{len(codes):,} perturbations are numbers: {shown}. If they are codes, replace them "
            "by the names of the genes; if they are Entrez ids, by their symbols: "
            "tx.graph.map_genes(ids)['symbol']. A graph would take them for Entrez ids.",
            genes,
        )
    _warn_of_neutral_targets(labels, genes)
    _warn_of_control_guides(labels, genes, controls)
    _warn_of_vocabulary(reading, genes, var)
    return reading


def _warn_of_neutral_targets(labels: pd.Index, genes: pd.Index) -> None:
    """Warn of perturbed cells whose target is one that screens use as a control."""
    found = [label for label in labels if is_neutral_target(label) and label not in genes]
    if found:
        shown = _more(", ".join(map(repr, found[:3])), found)
        _warn(
            f"{len(found):,} perturbations have a target that screens use as a control, a safe "
            f"locus or a gene that the cells lack: {shown}. They count as perturbed. If they are "
            f"controls: tx.pp.harmonize_labels(adata, controls={found[:3]})",
            genes,
        )


def _warn_of_unread(reading: LabelReading, genes: pd.Index) -> None:
    """Warn of labels that are not understood and of which several name one gene."""
    naming: dict[str, set[str]] = {}
    for label, named in reading.genes.items():
        for target in parse_targets(label):
            for gene in reading.unread.get(target, ()):
                naming.setdefault(gene, set()).add(label)
        for gene in named:
            naming.setdefault(gene, set()).add(label)
    of = {
        target: gene
        for target, parts in reading.unread.items()
        for gene in parts
        if len(naming.get(gene, ())) > 1
    }
    if of:
        shown = _more(", ".join(f"{name!r} ({gene})" for name, gene in list(of.items())[:3]), of)
        _warn(
            f"{len(of):,} perturbations are not understood and have the name of a gene in common "
            f"with others: {shown}. Each counts as a gene of its own, so that one may be trained "
            "on while another is held out. If they are guides of that gene, write its name into "
            f"obs; tx.pp.harmonize_labels(adata) does so for the forms that it knows, "
            "such as 'KLF1_1', 'sgKLF1-2' and 'KLF1_P1P2'.",
            genes,
        )


def _warn_of_control_guides(labels: pd.Index, genes: pd.Index, controls: Iterable[str]) -> None:
    """Warn of perturbed labels that begin with the label of a flagged control."""
    begins = sorted({name.strip().casefold() for name in controls if len(name.strip()) > 1})
    if not begins:
        return
    after = re.compile(rf"(sg)?(?:{'|'.join(map(re.escape, begins))})([\s_.-].*|\d+)")
    like = [
        str(label)
        for label in labels
        if after.fullmatch(str(label).casefold()) and COMBINATION not in str(label)
    ]
    symbols = map_genes([*like, *(label.upper() for label in like)])["kind"].eq("symbol")
    found = [
        label
        for label in like
        if label not in genes
        and not (symbols[label] or symbols[label.upper()] or is_neutral_target(label))
    ]
    if found:
        shown = _more(", ".join(map(repr, found[:3])), found)
        _warn(
            f"{len(found):,} perturbations begin with the label of a control: {shown}. They count "
            "as perturbed. If they are guides of controls: "
            f"tx.pp.harmonize_labels(adata, controls={found})",
            genes,
        )


def _shared(reading: LabelReading) -> set[str]:
    """Return the labels with a gene that another label calls by another name."""
    names: dict[str, set[str]] = {}
    for label, genes in reading.genes.items():
        for gene in genes:
            names.setdefault(gene, set()).update(parse_targets(label))
    several = {
        gene
        for gene, called in names.items()
        if len({name for name in called if reading.genes.get(name, (name,)) == (gene,)}) > 1
    }
    return {label for label, genes in reading.genes.items() if several & set(genes)}


def _warn_of_vocabulary(reading: LabelReading, genes: pd.Index, var: pd.DataFrame | None) -> None:
    """Warn of targets that the data measure under another name."""
    targets = {target for label in reading.genes for target in parse_targets(label)}
    met = len(targets & set(genes))
    column = None if var is None else _column_of_targets(var, targets, met)
    looked = var is not None
    if len(genes) and not met and all(str(name).isdigit() for name in genes):
        _warn(
            f"The var_names are numbers, such as {genes[0]!r}, and none of the {len(targets):,} "
            "targets is among them. The knock-down filter, keep_targets and the effect on the "
            f"target itself cannot use them. To fix it: "
            f"{_renaming(column, 'entrez', looked=looked)}",
            genes,
        )
        return
    if not reading.var_names:
        return
    examples = list(reading.var_names.items())
    shown = _more(", ".join(f"{gene!r} is {name!r}" for gene, name in examples[:3]), examples)
    foreign = any(ENSEMBL_ID.fullmatch(name) for name in reading.var_names.values())
    fix = (
        _renaming(column, "ensembl", looked=looked)
        if foreign
        else "tx.pp.harmonize_labels(adata) writes the targets as var_names do"
    )
    _warn(
        f"{len(examples):,} of {len(targets):,} targets are no var_names themselves but have "
        f"another name there: {shown} ({met:,} targets are var_names). The knock-down filter, "
        f"keep_targets and the effect on the target itself cannot use them. To fix it: {fix}",
        genes,
    )


def _column_of_targets(var: pd.DataFrame, targets: set[str], met: int) -> str | None:
    """Return the column that holds most targets, if more than the var names do."""
    held = {
        str(name): len(targets & set(var[name].dropna().astype(str)))
        for name in var.columns
        if not pd.api.types.is_numeric_dtype(var[name])
    }
    best = max(held, key=lambda name: held[name], default=None)
    return best if best is not None and held[best] > met else None


def _renaming(column: str | None, vocabulary: str, *, looked: bool) -> str:
    """Return how to name genes as the targets are, without losing any.

    Parameters
    ----------
    column
        Column of ``adata.var`` that holds the targets.
    vocabulary
        Of the var names, ``"ensembl"`` or ``"entrez"``.
    looked
        Whether the columns of ``adata.var`` are known.
    """
    unique = "adata.var_names_make_unique()"
    if column is not None:
        names = f"adata.var[{column!r}].astype(object).fillna(adata.var_names.to_series())"
        return f"adata.var_names = {names}.tolist(); {unique}"
    mapped = (
        "symbols = tx.graph.map_genes(adata.var_names)['symbol']; "
        f"adata.var_names = symbols.fillna(symbols.index.to_series()).tolist(); {unique}"
    )
    first = (
        "" if looked else "take a column of adata.var that holds the symbols; if there is none, "
    )
    if vocabulary == "entrez":
        listed = "look them up in the published list of genes"
        return f"{first}{listed}; Entrez ids are mapped by {mapped}"
    return f"{first}map the ids, of which those without a symbol stay: {mapped}"


def _more(shown: str, found: Iterable[object]) -> str:
    return shown + (", …" if len(list(found)) > 3 else "")


def _warn(message: str, genes: pd.Index) -> None:
    warn_once(message, genes, stacklevel=5)
