"""Labels of perturbations, and the targets that they name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Container, Iterable
from functools import lru_cache

import numpy as np
import pandas as pd

from txpert._constants import COMBINATION, CONTROL
from txpert._gene_names import LABEL_SEPARATOR, MISSING_LABELS, without_version
from txpert._types import IntArray

# Parts of the longest name of a control, as in "non_gene_site_12".
_LONGEST = 5
# "+" that stands between genes, not between the strand and the place of a guide as in
# "KLF1_+_12998101.23-P1P2".
_BETWEEN = re.compile(r"(?<!_)\+|\+(?!_\d)")
_CONTROL = re.compile(
    r"(neg(ative)?)?(control|ctrl)s?\d*|ctl|ntc?|nt(sg|guide)\d*|non?target(ing|ed)?\d*"
    r"|safe(target(ing)?|harbou?r|cut(ting|ter)?)\d*|scrambled?\d*|unperturbed|wt|wildtype"
    r"|negative\d+|intergenic\d*|(one|no)(nongene)?site\d*"
)
# Numbered or lettered, so that NTN1, NTM and CTL1 stay genes; NT-3 to NT-5 are neurotrophins.
_NUMBERED = re.compile(r"ctl[_ ]\d+|ntc?[\s_.-]?\d+|ntc?[\s_.-][a-z]")
_NEUROTROPHIN = re.compile(r"nt-?[345]")
# In this case only: yeast has the genes NTG1 and NTG2.
_PAPALEXI = re.compile(r"NTg\d+")
_NEUTRAL = frozenset(
    {"aavs1", "rosa26", "clybl", "egfp", "gfp", "bfp", "rfp", "mcherry", "lacz", "luciferase"}
)
_CONTROL_ENDING = re.compile(r"(control|ctrl|s?grna|guide|sg)s?\d*$")
_NO_TARGET = re.compile(
    r"\*|un(assigned|known|mapped|detected)|ambiguous|multi(ple|plet)?s?|doublets?|negative"
    r"|lowquality|(no|multiple|several|two|[2-9])\+?(sg|g|guide)?(rna|guide)s?"
    r"(detected|assigned|found|call|calls)?|[2-9]\+"
)


def is_missing_text(name: str) -> bool:
    """Whether a name is what a missing value becomes as text, such as ``"nan"`` or ``"<NA>"``."""
    return name.strip().casefold() in MISSING_LABELS


def names_no_target(label: str) -> bool:
    """Whether a label says that no guide, or more than one, was found in a cell.

    Examples
    --------
    >>> [names_no_target(label) for label in ("*", "no guide", "2+ guides", "Negative", "NEGR1")]
    [True, True, True, True, False]
    """
    return bool(_NO_TARGET.fullmatch(re.sub(r"[\s_.-]", "", label.casefold())))


@lru_cache(maxsize=2**17)
def is_control_name(name: str) -> bool:
    """Whether a name is one that controls go by in published screens, or consists of such names.

    Case matters for none but ``"NTg1"``. The gene symbol ``"CTRL"`` counts as a control.

    Examples
    --------
    >>> [is_control_name(n) for n in ("ctrl", "Non-Targeting", "NT", "NegCtrl0", "NT5E", "NTN1")]
    [True, True, True, True, False, False]
    >>> [is_control_name(n) for n in ("NT-2", "NegCtrl1_NegCtrl0", "NT|NT", "NTG1", "NT-3")]
    [True, True, True, False, False]
    """
    return _one_control(name) or _only_controls(tuple(split_names(name)))


def _one_control(name: str) -> bool:
    name = name.strip()
    if _PAPALEXI.fullmatch(name):
        return True
    folded = name.casefold()
    without = re.sub(r"^sg[\s_.-]?", "", folded)
    if _NUMBERED.fullmatch(without) and not _NEUROTROPHIN.fullmatch(folded):
        return True
    plain = re.sub(r"[\s_.-]", "", without)
    return any(_CONTROL.fullmatch(text) for text in (plain, _CONTROL_ENDING.sub("", plain)))


def _only_controls(names: tuple[str, ...]) -> bool:
    """Whether names, and the numbers between them, make up one or more names of controls."""
    if names and (names[0].isdigit() or names[0] == "p"):
        return len(names) > 1 and _only_controls(names[1:])
    ends = range(1, min(len(names), _LONGEST) + 1)
    return any(
        _one_control("_".join(names[:end]))
        and (all(map(str.isdigit, names[end:])) or _only_controls(names[end:]))
        for end in ends
    )


def split_names(label: str) -> list[str]:
    """Return the parts of a label that signs other than ``"+"`` separate."""
    return [part for part in LABEL_SEPARATOR.split(label) if part]


def split_combination(label: str) -> list[str]:
    """Return the parts of a label between ``"+"``.

    Examples
    --------
    >>> split_combination("KLF1 + MAPK1"), split_combination("KLF1_+_12998101.23-P1P2")
    (['KLF1', 'MAPK1'], ['KLF1_+_12998101.23-P1P2'])
    """
    return [part.strip() for part in _BETWEEN.split(label)]


def is_neutral_target(name: str) -> bool:
    """Whether a name, or a guide's, is a safe locus or foreign gene that controls target.

    Examples
    --------
    >>> [is_neutral_target(name) for name in ("AAVS1", "sgAAVS1-2", "EGFP_1", "JAK2")]
    [True, True, True, False]
    """
    gene = re.split(r"[\s_.-]", name.strip().casefold())[0].removeprefix("sg")
    return gene in _NEUTRAL


def parse_targets(label: str) -> tuple[str, ...]:
    """Return the targets of a perturbation, sorted, each once; none for a control.

    Raises
    ------
    ValueError
        If the label is not a string, or one of its parts is empty or a missing value.

    Examples
    --------
    >>> parse_targets("MAPK1+KLF1"), parse_targets("KLF1+ctrl"), parse_targets("control")
    (('KLF1', 'MAPK1'), ('KLF1',), ())
    """
    if not isinstance(label, str):
        raise ValueError(f"A perturbation is a string such as 'KLF1' or 'A+B', not {label!r}.")
    return _targets(label)


@lru_cache(maxsize=2**17)
def _targets(label: str) -> tuple[str, ...]:
    parts = set(split_combination(label))
    if "" in parts:
        raise ValueError(
            f"The perturbation {label!r} has an empty part; write 'A', 'A+B' or {CONTROL!r}."
        )
    for part in sorted(parts):
        if is_missing_text(part):
            raise ValueError(
                f"The perturbation {label!r} has the part {part!r}, a missing value that was "
                f"made text; write 'A' for a perturbation of one gene, {CONTROL!r} for none."
            )
    return tuple(sorted(part for part in parts if not is_control_name(part)))


def drop_controls(label: str, controls: Container[str]) -> str:
    """Return a label without the parts that are labels of controls; ``"control"`` if all are.

    Parameters
    ----------
    label
        A perturbation.
    controls
        Labels of the control cells of a screen, such as ``"AAVS1"``. Names that controls usually
        go by need not be among them, nor labels that consist of them, such as ``"AAVS1_AAVS1"``.
    """
    if label in controls:
        return CONTROL
    parts = split_combination(label)
    kept = [part for part in parts if not _is_control(part, controls)]
    return label if len(kept) == len(parts) else COMBINATION.join(kept) or CONTROL


def _is_control(part: str, controls: Container[str]) -> bool:
    """Whether a part is the label or a name of controls, or consists of such."""
    if part in controls or is_control_name(part):
        return True
    names = split_names(part)
    return len(names) > 1 and all(name in controls or is_control_name(name) for name in names)


def canonical_label(label: str) -> str:
    """Write a perturbation the one way: targets sorted and joined by ``"+"``, or ``"control"``."""
    return COMBINATION.join(parse_targets(label)) or CONTROL


def join_targets(targets: Iterable[str]) -> str:
    """Return the label of a set of targets."""
    return COMBINATION.join(sorted(targets)) or CONTROL


def encode_targets(labels: Iterable[str], nodes: pd.Index) -> IntArray:
    """Return the positions of each perturbation's targets among the nodes.

    Returns
    -------
    Positions, shape ``(n_labels, highest order)`` but at least one column; shorter perturbations
    and controls are filled up with ``len(nodes)``.

    Raises
    ------
    KeyError
        If a target is no node; the message lists all of them and suggests spellings.
    """
    targets = [parse_targets(label) for label in labels]
    order = max([1, *map(len, targets)])
    flat = [target for parts in targets for target in parts]
    positions = nodes.get_indexer(pd.Index(flat, dtype=object))
    if (positions == -1).any():
        unknown = dict.fromkeys(t for t, i in zip(flat, positions, strict=True) if i == -1)
        raise KeyError(unknown_targets(list(unknown), nodes))
    encoded = np.full((len(targets), order), len(nodes), dtype=np.int64)
    lengths = np.array([len(parts) for parts in targets], dtype=np.int64)
    encoded[np.arange(order) < lengths[:, None]] = positions
    return encoded


def without_node(labels: Iterable[str], nodes: pd.Index) -> list[list[str]]:
    """Return the targets of each perturbation that are no node."""
    known = set(nodes)
    return [[t for t in parse_targets(label) if t not in known] for label in labels]


def measured_targets(labels: Iterable[str], genes: pd.Index) -> tuple[IntArray, IntArray]:
    """Find the targets that are among the genes measured.

    Returns
    -------
    Position of the label and of the gene, for each such target of each perturbation.
    """
    code, distinct = pd.factorize(np.asarray(labels, dtype=object))
    targets = [parse_targets(label) for label in distinct]
    flat = [target for parts in targets for target in parts]
    found = genes.get_indexer(pd.Index(flat, dtype=object)).astype(np.int64)
    number = np.array([len(parts) for parts in targets], dtype=np.int64)
    first = number.cumsum() - number
    order = number[code]
    row = np.repeat(np.arange(len(code)), order)
    column = found[np.arange(len(row)) + np.repeat(first[code] - order.cumsum() + order, order)]
    return row[column >= 0], column[column >= 0]


def plain_name(name: str) -> str:
    """Return a name without what spellings of one gene differ by.

    Case, surrounding spaces, the version of an Ensembl id, and which of ``-_.`` stands between.
    """
    return re.sub(r"[\s_.-]+", "-", without_version(name.strip()).casefold())


def unknown_targets(unknown: list[str], nodes: pd.Index) -> str:
    shown = ", ".join(map(repr, unknown[:5])) + (", …" if len(unknown) > 5 else "")
    alike = [node for node in nodes if plain_name(node) == plain_name(unknown[0])]
    close = alike or difflib.get_close_matches(unknown[0], nodes, n=3, cutoff=0.7)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    return (
        f"No node of the model: {shown}.{hint} The model predicts genes that its graphs or its "
        f"training data hold ({len(nodes):,} nodes, model.nodes)."
    )
