"""What is said about labels that do not name genes as the data do."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import pandas as pd

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


def warn_of_labels(labels: pd.Index, genes: pd.Index) -> LabelReading:
    """Warn of labels that stand for genes which others stand for too, and of numbers.

    Parameters
    ----------
    labels
        Canonical labels.
    genes
        Var names.

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
            _warn(f"{len(found):,} perturbations {what}: {_more(shown, found)}. {why} {_FIX}")
    codes = [label for label in labels if label.isdigit() and label not in genes]
    if codes:
        shown = _more(", ".join(map(repr, codes[:3])), codes)
        _warn(
            f"{len(codes):,} perturbations are numbers: {shown}. If they are codes, replace them "
            "by the names of the genes; if they are Entrez ids, by their symbols: "
            "tx.graph.map_genes(ids)['symbol']. A graph would take them for Entrez ids."
        )
    _warn_of_neutral_targets(labels, genes)
    _warn_of_vocabulary(reading, genes)
    return reading


def _warn_of_neutral_targets(labels: pd.Index, genes: pd.Index) -> None:
    """Warn of perturbed cells whose target is one that screens use as a control."""
    found = [label for label in labels if is_neutral_target(label) and label not in genes]
    if found:
        shown = _more(", ".join(map(repr, found[:3])), found)
        _warn(
            f"{len(found):,} perturbations have a target that screens use as a control, a safe "
            f"locus or a gene that the cells lack: {shown}. They count as perturbed. If they are "
            f"controls: tx.pp.harmonize_labels(adata, controls={found[:3]})"
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


def _warn_of_vocabulary(reading: LabelReading, genes: pd.Index) -> None:
    """Warn of targets that the data measure under another name."""
    if not reading.var_names:
        return
    targets = {target for label in reading.genes for target in parse_targets(label)}
    met = len(targets & set(genes))
    examples = list(reading.var_names.items())
    shown = _more(", ".join(f"{gene!r} is {name!r}" for gene, name in examples[:3]), examples)
    foreign = any(name.startswith("ENS") for name in reading.var_names.values())
    fix = (
        "symbols = tx.graph.map_genes(adata.var_names)['symbol'].drop_duplicates().dropna(); "
        "adata = adata[:, symbols.index].copy(); adata.var_names = symbols"
        if foreign
        else "tx.pp.harmonize_labels(adata) writes the targets as var_names do"
    )
    _warn(
        f"{len(examples):,} of {len(targets):,} targets are no var_names themselves but have "
        f"another name there: {shown} ({met:,} targets are var_names). The knock-down filter, "
        f"keep_targets and the effect on the target itself cannot use them. To fix it: {fix}"
    )


def _more(shown: str, found: Iterable[object]) -> str:
    return shown + (", …" if len(list(found)) > 3 else "")


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=4)
