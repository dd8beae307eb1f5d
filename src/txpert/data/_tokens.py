"""Labels of perturbations, and the targets that they name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Container, Iterable
from functools import lru_cache

import numpy as np
import pandas as pd

from txpert._constants import COMBINATION, CONTROL
from txpert._types import IntArray

MISSING_TEXT = frozenset({"", "nan", "none", "na", "n/a", "<na>", "null"})
"""What missing values become where a column is made text, in lower case."""

_CONTROL = re.compile(
    r"(neg(ative)?)?(control|ctrl)s?\d*|ctl|ntc?|ntg\d+|nt(sg|guide)\d*|non?target(ing|ed)?\d*"
    r"|safe(target(ing)?|harbou?r|cut(ting|ter)?)\d*|scrambled?\d*|unperturbed|wt|wildtype"
)
_NEUTRAL = frozenset(
    {"aavs1", "rosa26", "clybl", "egfp", "gfp", "bfp", "rfp", "mcherry", "lacz", "luciferase"}
)
_CONTROL_ENDING = re.compile(r"(control|ctrl|s?grna|guide|sg)s?\d*$")


def is_missing_text(name: str) -> bool:
    """Whether a name is what a missing value becomes as text, such as ``"nan"`` or ``"<NA>"``."""
    return name.strip().casefold() in MISSING_TEXT


@lru_cache(maxsize=2**17)
def is_control_name(name: str) -> bool:
    """Whether a name is one that controls go by in published screens, in any case.

    Examples
    --------
    >>> [is_control_name(n) for n in ("ctrl", "Non-Targeting", "NT", "NegCtrl0", "NT5E", "NTN1")]
    [True, True, True, True, False, False]
    """
    numbered = re.sub(r"^(nt|ntc|ctl)[_ ]\d+$", r"\1", name.strip().casefold())
    plain = re.sub(r"[\s_.-]", "", numbered).removeprefix("sg")
    return any(_CONTROL.fullmatch(text) for text in (plain, _CONTROL_ENDING.sub("", plain)))


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
    parts = {part.strip() for part in label.split(COMBINATION)}
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
        go by need not be among them.
    """
    if label in controls:
        return CONTROL
    parts = [part.strip() for part in label.split(COMBINATION)]
    kept = [part for part in parts if part not in controls and not is_control_name(part)]
    return label if len(kept) == len(parts) else COMBINATION.join(kept) or CONTROL


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
    unversioned = re.sub(r"^(ens[a-z]*g\d{11})\.\d+$", r"\1", name.strip().casefold())
    return re.sub(r"[\s_.-]+", "-", unversioned)


def unknown_targets(unknown: list[str], nodes: pd.Index) -> str:
    shown = ", ".join(map(repr, unknown[:5])) + (", …" if len(unknown) > 5 else "")
    alike = [node for node in nodes if plain_name(node) == plain_name(unknown[0])]
    close = alike or difflib.get_close_matches(unknown[0], nodes, n=3, cutoff=0.7)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    return (
        f"No node of the model: {shown}.{hint} The model predicts genes that its graphs or its "
        f"training data hold ({len(nodes):,} nodes, model.nodes)."
    )
