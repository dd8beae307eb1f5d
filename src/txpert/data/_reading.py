"""What labels seem to mean beyond ``"+"``: guides, other separators and spellings of one gene."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import pandas as pd

from txpert.graph import map_genes

from ._tokens import is_control_name, join_targets, parse_targets, plain_name

Kind = Literal["separator", "guide", "spelling", "alias"]

_SEPARATOR = re.compile(r"\s+(?:and|AND)\s+|[\s_|&,;:/#]+")
_WEAK = re.compile(r"\s*[-.]\s*")
_GUIDE_TOKEN = (
    r"(?:(?:sg|g|grna|sgrna|guide|sh|oligo|v|i)[-.]?)?\d+[a-z]?|[pP]\d(?:[pP]\d)?|[ACGT]{17,}"
    r"|ENST\d+(?:\.\d+)?|\d+(?:\.\d+)?-[pP]\d(?:[pP]\d)?|-"
)
_GUIDE = re.compile(_GUIDE_TOKEN)
_GUIDE_ENDING = re.compile(rf"(?:[-.](?:{_GUIDE_TOKEN})|g\d+)$")
_GUIDE_BEGINNING = re.compile(r"^(?:sgRNA|gRNA|crRNA|shRNA|siRNA|sg|sh|guide)[-.]?(?=[A-Z0-9a-z])")
_ENSEMBL = re.compile(r"ENS[A-Z]*G\d{11}(?:\.\d+)?")


@dataclass(frozen=True)
class LabelReading:
    """What the labels of a screen seem to mean.

    Attributes
    ----------
    genes
        Genes of each label, sorted, by one name each; none for controls.
    kinds
        How a label that names no gene by itself was read: a combination with another
        ``"separator"``, a ``"guide"`` of a gene, another ``"spelling"`` of a gene that occurs
        too, or an ``"alias"`` of one. Labels that mean what they say are left out.
    var_names
        Var name of each target that is none itself but goes by it in another spelling, alias or
        vocabulary.
    """

    genes: Mapping[str, tuple[str, ...]]
    kinds: Mapping[str, Kind]
    var_names: Mapping[str, str]

    def label(self, label: str) -> str:
        """Return the label written as it was read."""
        return join_targets(self.genes[label])


def read_labels(labels: Iterable[str], genes: Iterable[str] = ()) -> LabelReading:
    """Find labels that stand for genes which others stand for too.

    A name among the var names, or a gene symbol known to :func:`txpert.graph.map_genes`, is a
    gene, whatever it looks like: ``"HLA-A"``, ``"NKX2-1"``, ``"RP11-34P13.7"``. Others are taken
    apart only where all parts are such genes, other labels of the screen, numbers of guides or
    names of controls.

    Parameters
    ----------
    labels
        Perturbations, combinations joined by ``"+"``.
    genes
        Var names of the screen.

    Examples
    --------
    >>> reading = read_labels(["JAK2", "JAK2_STAT1", "sgSTAT1-2"], ["JAK2", "STAT1", "HLA-A"])
    >>> dict(reading.genes)["JAK2_STAT1"], dict(reading.kinds)["sgSTAT1-2"]
    (('JAK2', 'STAT1'), 'guide')
    """
    return _read(tuple(dict.fromkeys(labels)), tuple(genes))


@lru_cache(maxsize=16)
def _read(labels: tuple[str, ...], genes: tuple[str, ...]) -> LabelReading:
    targets = {label: parse_targets(label) for label in labels}
    names = sorted({target for parts in targets.values() for target in parts})
    measured = frozenset(genes)
    other = [name for name in names if name not in measured]
    parts: dict[str, tuple[str, ...]] = {}
    kinds: dict[str, Kind] = {}
    taken_apart = _take_apart(other, measured, frozenset(names))
    for name, (found, kind) in taken_apart.items():
        parts[name], kinds[name] = found, kind
    left = sorted({gene for name in other for gene in parts.get(name, (name,))} - measured)
    one_name, of_gene = _one_names(left, measured, names)
    kinds |= {name: of_gene[name] for name in one_name if name not in kinds}
    read, of_label = {}, {}
    for label, named in targets.items():
        flat = [gene for target in named for gene in parts.get(target, (target,))]
        odd = [target for target in named if target in kinds]
        read[label] = tuple(sorted({one_name.get(gene, gene) for gene in flat})) or named
        if odd:
            of_label[label] = kinds[odd[0]]
    var_names = {gene: name for gene, name in one_name.items() if name in measured}
    return LabelReading(read, of_label, var_names | _foreign(left, one_name, genes))


def _take_apart(
    names: list[str], measured: frozenset[str], labels: frozenset[str]
) -> dict[str, tuple[tuple[str, ...], Kind]]:
    """Read the names that consist of genes, guide numbers and controls, and are no genes."""
    tokens = {name: _tokens(name) for name in names}
    asked = {token for name in names for token in _bare(name)} - measured - labels
    shaped = [name for name in names if len(tokens[name]) > 1 or len(_bare(name)) > 1]
    if not shaped:
        return {}
    human = _symbols([*shaped, *sorted(asked)])
    known = measured | labels | {n for n, kind in human.items() if kind in ("symbol", "ensembl")}
    found: dict[str, tuple[tuple[str, ...], Kind]] = {}
    for name in shaped:
        if human.get(name, "unknown") in ("unknown", "entrez"):
            read = _resolve(name, known - {name}, labels)
            if read is not None:
                found[name] = read
    return found


def _tokens(name: str) -> list[str]:
    return [token for token in _SEPARATOR.split(name) if token]


def _bare(name: str) -> set[str]:
    """Return the pieces of a name that may be genes, guides' marks removed."""
    pieces = set()
    for token in [name, *_tokens(name)]:
        pieces |= {token, _bare_gene(token), *_WEAK.split(token)}
    return pieces - {""}


def _bare_gene(token: str) -> str:
    """Remove what marks a guide at both ends of a name: ``"sgJAK2-2"`` is ``"JAK2"``."""
    return _GUIDE_ENDING.sub("", _GUIDE_BEGINNING.sub("", token))


def _resolve(
    name: str, known: frozenset[str], labels: frozenset[str]
) -> tuple[tuple[str, ...], Kind] | None:
    """Return the genes that a name consists of, and how; ``None`` if a part is no gene."""
    tokens = _tokens(name)
    if name.startswith("_") and all(_GUIDE.fullmatch(token) for token in tokens):
        return (), "guide"  # The second half of an id such as "KLF1_+_12998.23-P1P2".
    genes, control = [], False
    for i, token in enumerate(tokens):
        gene = None if i and token.isdigit() else _gene_of(token, known)
        if gene is not None:
            genes.append(gene)
        elif is_control_name(token):
            control = True
        elif not (i and _GUIDE.fullmatch(token)):
            genes = []
            break
    if not genes:
        genes = _WEAK.split(name)
        if len(genes) < 2 or not set(genes) <= labels:
            return None
    return tuple(sorted(set(genes))), "separator" if control or len(set(genes)) > 1 else "guide"


def _gene_of(token: str, known: frozenset[str]) -> str | None:
    without = _GUIDE_BEGINNING.sub("", token)
    for name in (token, without, _GUIDE_ENDING.sub("", token), _bare_gene(token)):
        if name in known or _ENSEMBL.fullmatch(name):
            return name
        if name.upper() in known:
            return name.upper()
    return None


def _one_names(
    left: list[str], measured: frozenset[str], labels: list[str]
) -> tuple[dict[str, str], dict[str, Kind]]:
    """Give the genes that are no var names the name of one they are spelled or called like."""
    one: dict[str, str] = {}
    kinds: dict[str, Kind] = {}
    by_spelling: dict[str, str] = {}
    for name in sorted(measured):
        by_spelling.setdefault(plain_name(name), name)
    for name in sorted(left, key=lambda name: (name not in labels, name)):
        first = by_spelling.setdefault(plain_name(name), name)
        if first != name:
            one[name], kinds[name] = first, "spelling"
    others = [name for name in left if name not in one and not name.isdigit()]
    symbols = _human_symbols(others, measured)
    by_symbol: dict[str, str] = {}
    called = [name for name in sorted(measured) if not _ENSEMBL.fullmatch(name)] + others
    for name in [name for name in called if name in symbols]:
        first = by_symbol.setdefault(symbols[name], name)
        if first != name and name not in measured:
            one[name], kinds[name] = first, "alias"
    return one, kinds


def _foreign(
    left: list[str], one_name: Mapping[str, str], genes: tuple[str, ...]
) -> dict[str, str]:
    """Find targets whose var name is an Ensembl id."""
    ids = [name for name in genes if _ENSEMBL.fullmatch(name)]
    if not ids:
        return {}
    symbols = map_genes(ids)["symbol"].dropna()
    of_symbol = {str(symbol): str(name) for name, symbol in symbols.items()}
    return {gene: of_symbol[gene] for gene in left if gene in of_symbol and gene not in one_name}


def _human_symbols(names: list[str], measured: frozenset[str]) -> dict[str, str]:
    """Return current symbols of names, if most of these are those of human genes."""
    if not names:
        return {}
    table = map_genes([*names, *sorted(measured - set(names))])
    known = table.loc[names, "kind"].isin(["symbol", "alias", "ensembl"])
    if known.mean() < 0.5:
        return {}
    table = table[table["kind"].isin(["symbol", "alias", "ensembl"])]
    return {str(name): str(symbol) for name, symbol in table["symbol"].dropna().items()}


def _symbols(names: Iterable[str]) -> dict[str, str]:
    """Return the kind of name that each is to :func:`txpert.graph.map_genes`."""
    kinds: pd.Series = map_genes(names)["kind"]
    return {str(name): str(kind) for name, kind in kinds.items()}
