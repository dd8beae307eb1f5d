"""What labels seem to mean beyond ``"+"``: guides, other separators and spellings of one gene."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from txpert._gene_names import ENSEMBL_ID
from txpert.graph import map_genes

from ._tokens import is_control_name, join_targets, parse_targets, plain_name, split_names

Kind = Literal["separator", "guide", "spelling", "alias"]

_WEAK = re.compile(r"\s*[-.]\s*")
_MARK = r"(?i:sgRNA|gRNA|crRNA|shRNA|siRNA|oligo|guide|sg|sh)"
_PLACE = r"[pP]\d(?:[pP]\d)?|ENST\d+(?:\.\d+)?"
_PLASMID = r"p[A-Z]{2}\d+(?:-\d+)?"
_GUIDE_NAME = (
    rf"(?:(?:{_MARK}|[gGvi])[-.]?)?\d+[a-z]?|{_PLACE}|{_PLASMID}|[ACGT]{{17,}}"
    rf"|\d+(?:\.\d+)?-(?:{_PLACE})"
)
_GUIDE = re.compile(rf"{_GUIDE_NAME}|{_MARK}|[A-Za-z]|[+-]")
# Between "g" and the stem of a symbol stands no border, so that "Arg1" and "Tubg1" are genes.
_GUIDE_ENDING = re.compile(rf"(?:[-.](?:{_GUIDE_NAME})|(?<=[A-Z0-9])g\d+)$")
_GUIDE_BEGINNING = re.compile(
    r"^(?:(?:sgRNA|gRNA|crRNA|shRNA|siRNA|sg|guide)[-.]?(?=[A-Za-z0-9])|sh[-.]?(?=[A-Z0-9]))"
)
# "p_sgGATA1_3": what stands before the gene says nothing of it.
_FIRST = re.compile(rf"\d+|[pm]|{_MARK}")
_HELD = ("symbol", "ensembl")


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
        too, or an ``"alias"`` of one. Left out are labels that mean what they say, and those of
        which a part is not understood.
    var_names
        Var name of each target that is none itself but goes by it in another spelling, alias or
        vocabulary.
    unread
        Genes that are parts of each target that is no gene and that is not understood.
    """

    genes: Mapping[str, tuple[str, ...]]
    kinds: Mapping[str, Kind]
    var_names: Mapping[str, str]
    unread: Mapping[str, tuple[str, ...]]

    def label(self, label: str) -> str:
        """Return the label written as it was read."""
        return join_targets(self.genes[label])


def read_labels(labels: Iterable[str], genes: Iterable[str] = ()) -> LabelReading:
    """Find labels that stand for genes which others stand for too.

    A name among the var names, or a gene symbol known to :func:`txpert.graph.map_genes`, in any
    case, is a gene, whatever it looks like: ``"HLA-A"``, ``"NKX2-1"``, ``"Arg1"``. Others are
    taken apart only where all parts are such genes, other labels of the screen, marks of guides
    or names of controls.

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
    names_of = _Names.of(other, measured, frozenset(names))
    unread: dict[str, tuple[str, ...]] = {}
    for name in names_of.compound:
        read_as = names_of.resolve(name)
        if read_as is not None:
            parts[name], kinds[name] = read_as
        else:
            unread[name] = names_of.genes_in(name)
    left = sorted({gene for name in other for gene in parts.get(name, (name,))} - measured)
    one_name, of_gene = _one_names(left, measured, names)
    kinds |= {name: of_gene[name] for name in one_name if name not in kinds}
    unread = {name: held for name, held in unread.items() if name not in kinds}
    read, of_label = {}, {}
    for label, named in targets.items():
        flat = [gene for target in named for gene in parts.get(target, (target,))]
        odd = [target for target in named if target in kinds]
        read[label] = tuple(sorted({one_name.get(gene, gene) for gene in flat})) or named
        if odd and not any(len(split_names(target)) > 1 for target in unread.keys() & named):
            of_label[label] = kinds[odd[0]]
    var_names = {gene: name for gene, name in one_name.items() if name in measured}
    return LabelReading(read, of_label, var_names | _foreign(left, one_name, genes), unread)


@dataclass(frozen=True)
class _Names:
    """The names of a screen that may consist of others, and those that are genes.

    Attributes
    ----------
    compound
        Names that are no genes themselves and have parts.
    known
        Var names, other labels, and symbols and Ensembl ids of human genes.
    labels
        Names of the screen.
    symbols
        Current symbol of whatever has one.
    aliases
        Other names of human genes, which count where guides of one gene have such a name.
    capitals
        Whether the genes measured are written in capitals.
    """

    compound: tuple[str, ...]
    known: frozenset[str]
    labels: frozenset[str]
    symbols: Mapping[str, str]
    aliases: frozenset[str]
    capitals: bool

    @classmethod
    def of(cls, names: list[str], measured: frozenset[str], labels: frozenset[str]) -> _Names:
        pieces = {name: _pieces(name) for name in names}
        shaped = [name for name in names if len(pieces[name]) > 1]
        if not shaped:
            return cls((), frozenset(), labels, {}, frozenset(), capitals=True)
        asked = {piece for name in shaped for piece in pieces[name]}
        table = map_genes(sorted(asked | {piece.upper() for piece in asked}))
        kind = table["kind"].to_dict()
        symbols = {str(name): str(of) for name, of in table["symbol"].dropna().items()}
        known = measured | labels | {str(name) for name, of in kind.items() if of in _HELD}
        aliases = frozenset(
            str(name) for name, of in kind.items() if of == "alias" and len(str(name)) > 2
        )
        compound = tuple(
            name
            for name in shaped
            if kind[name] in ("unknown", "entrez") and not _is_symbol(name, symbols)
        )
        capitals = sum(map(str.isupper, measured)) * 2 >= len(measured)
        return cls(compound, known, labels, symbols, aliases, capitals)

    def resolve(self, name: str) -> tuple[tuple[str, ...], Kind] | None:
        """Return the genes that a name consists of, and how; ``None`` if a part is no gene."""
        found = self._parts(name, self.known)
        if found is None:
            apart = _WEAK.split(name)
            found = (apart, False) if len(apart) > 1 and set(apart) <= self.labels else None
        if found is None:
            found = self._parts(name, self.known | self.aliases)
            if found is None or len(set(found[0])) > 1 or found[1]:
                return None
        genes, control = tuple(sorted(set(found[0]))), found[1]
        if genes == (name,):
            return None
        return genes, "separator" if control or len(genes) > 1 else "guide"

    def _parts(self, name: str, known: frozenset[str]) -> tuple[list[str], bool] | None:
        """Return the genes in a name, and whether it names a control; ``None`` without a gene."""
        tokens = split_names(name)
        genes: list[str] = []
        control = False
        for i, token in enumerate(tokens):
            if is_control_name(token):
                control = True
                continue
            gene = None if i and token.isdigit() else self._gene_of(token, name, known)
            if gene is not None:
                if not (genes and self._is_id_of(token, genes[-1], tokens)):
                    genes.append(gene)
            elif not (_GUIDE if genes or control else _FIRST).fullmatch(token):
                return None
        return (genes, control) if genes else None

    def genes_in(self, name: str) -> tuple[str, ...]:
        """Return the genes that parts of a name are."""
        parts = [*split_names(name), _WEAK.split(name)[0]]
        found = {self._gene_of(part, name, self.known) for part in parts if not part.isdigit()}
        return tuple(sorted(gene for gene in found if gene is not None and len(gene) > 1))

    def _gene_of(self, token: str, name: str, known: frozenset[str]) -> str | None:
        """Return the gene that a part of a name is, the marks of a guide removed if need be."""
        for part in _stripped(token):
            if part == name:
                continue
            if part in known or ENSEMBL_ID.fullmatch(part):
                return part
            if part.upper() in self.known:
                held = part.upper() in self.labels or self.capitals
                return part.upper() if held else part
        return None

    def _is_id_of(self, token: str, gene: str, tokens: list[str]) -> bool:
        """Whether a part is the Ensembl id of the gene before it: ``"12_KLF1_P1_ENSG…"``."""
        if not ENSEMBL_ID.fullmatch(token):
            return False
        # Rows of a table of genes are numbered; symbols and ids of two years need not agree.
        symbol = self.symbols.get(token)
        return tokens[0].isdigit() or symbol == self.symbols.get(gene, gene)


def _is_symbol(name: str, symbols: Mapping[str, str]) -> bool:
    """Whether a name is a symbol in another case."""
    return symbols.get(name.upper(), "").casefold() == name.casefold()


def _pieces(name: str) -> set[str]:
    """Return the pieces of a name that may be genes."""
    found = {name, _WEAK.split(name)[0]}
    for token in split_names(name):
        found |= {*_stripped(token), *_WEAK.split(token)}
    return found - {""}


def _stripped(token: str) -> tuple[str, ...]:
    """Return a name, and without what marks a guide at either end and at both."""
    without = _GUIDE_BEGINNING.sub("", token)
    ended = _GUIDE_ENDING.sub("", token), _GUIDE_ENDING.sub("", without)
    return tuple(dict.fromkeys(name for name in (token, without, *ended) if name))


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
    called = [name for name in sorted(measured) if not ENSEMBL_ID.fullmatch(name)] + others
    for name in [name for name in called if name in symbols]:
        first = by_symbol.setdefault(symbols[name], name)
        if first != name and name not in measured:
            one[name], kinds[name] = first, "alias"
    return one, kinds


def _foreign(
    left: list[str], one_name: Mapping[str, str], genes: tuple[str, ...]
) -> dict[str, str]:
    """Find targets whose var name is an Ensembl id."""
    ids = [name for name in genes if ENSEMBL_ID.fullmatch(name)]
    if not ids:
        return {}
    symbols = map_genes(ids)["symbol"].dropna()
    of_symbol = {str(symbol): str(name) for name, symbol in symbols.items()}
    return {gene: of_symbol[gene] for gene in left if gene in of_symbol and gene not in one_name}


def _human_symbols(names: list[str], measured: frozenset[str]) -> dict[str, str]:
    """Return current symbols of names, if most of these are those of human genes."""
    if not names:
        return {}
    every = [*names, *sorted(measured - set(names))]
    table = map_genes([*every, *(name.upper() for name in every)])
    symbols = {str(name): str(of) for name, of in table["symbol"].dropna().items()}
    known = {
        name for name, kind in table["kind"].items() if kind in ("symbol", "alias", "ensembl")
    }
    if len(known.intersection(names)) * 2 < len(names):
        return {}
    return {
        name: symbols[name]
        for name in every
        if name in known and not _is_other_symbol(name, symbols[name], symbols)
    }


def _is_other_symbol(name: str, of: str, symbols: Mapping[str, str]) -> bool:
    """Whether an alias is also, in another case, the symbol of another gene: ``"elk3"``."""
    return of.casefold() != name.casefold() and _is_symbol(name, symbols)
