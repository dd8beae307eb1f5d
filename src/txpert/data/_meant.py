"""Which known genes the names that a user asks for stand for."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import pandas as pd

from txpert._constants import COMBINATION, PERTURBATION
from txpert._gene_names import LABEL_SEPARATOR
from txpert._options import check_names
from txpert.graph._names import map_genes

from ._tokens import is_control_name, is_missing_text, parse_targets, plain_name, split_combination


def meant(
    labels: Iterable[str], known: pd.Index, others: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return how labels with unknown names are read; those that are clear are left out.

    A name that is unknown is another spelling of a known gene (case, spaces, ``-_.``), an old
    symbol, alias, Ensembl or Entrez id of one, or several known genes with another separator than
    ``"+"``. A label of which a part stays unknown is left as it is.

    Parameters
    ----------
    labels
        Perturbations.
    known
        Genes that can be perturbed, and labels of controls.
    others
        Further names of known genes, such as Ensembl ids of the screen's genes.

    Examples
    --------
    >>> meant(["klf1", "JAK2_STAT1", "MLL", "JAK2"], pd.Index(["KLF1", "JAK2", "STAT1", "KMT2A"]))
    {'klf1': 'KLF1', 'JAK2_STAT1': 'JAK2+STAT1', 'MLL': 'KMT2A'}
    """
    texts = [label for label in dict.fromkeys(labels) if isinstance(label, str)]
    exact = frozenset(known)
    unknown = {
        part: LABEL_SEPARATOR.split(part)
        for label in texts
        for part in split_combination(label)
        if part not in exact and not is_control_name(part) and not is_missing_text(part)
    }
    if not unknown:
        return {}
    tokens = dict.fromkeys([*unknown, *(token for parts in unknown.values() for token in parts)])
    one = _one_gene([token for token in tokens if token not in exact], known, others or {})
    one |= {token: token for token in tokens if token in exact or is_control_name(token)}
    read = {}
    for name, parts in unknown.items():
        if name in one:
            read[name] = one[name]
        elif all(part in one for part in parts):
            read[name] = COMBINATION.join(one[part] for part in parts)
    found = {}
    for label in texts:
        parts = split_combination(label)
        if any(part in read for part in parts):
            found[label] = COMBINATION.join(read.get(part, part) for part in parts)
    return found


def in_known_names(
    perturbations: str | Sequence[str] | pd.DataFrame,
    known: pd.Index,
    others: Mapping[str, str] | None = None,
    *,
    stacklevel: int,
) -> tuple[Sequence[str] | pd.DataFrame, list[str] | None]:
    """Return perturbations written with known names; warn of those that are read as others.

    Parameters
    ----------
    perturbations
        Labels, or a frame with the column perturbation.
    known
        Genes that can be perturbed, and labels of controls.
    others
        Further names of known genes.
    stacklevel
        Of the warning: 1 is this function, 2 what calls it.

    Returns
    -------
    Second, the labels that the rows of a frame keep in what comes back.

    Raises
    ------
    ValueError
        If the perturbations are no labels.
    """
    if isinstance(perturbations, pd.DataFrame):
        if PERTURBATION not in perturbations:
            return perturbations, None
        labels = perturbations[PERTURBATION].astype(str).tolist()
    else:
        given = [perturbations] if isinstance(perturbations, str) else perturbations
        labels = check_names("perturbations", given)
        for label in labels:
            if not isinstance(label, str):
                parse_targets(label)  # says what a label is
    read = meant(labels, known, others)
    warn_of_meant(read, stacklevel + 1)
    written = [read.get(label, label) for label in labels]
    if not isinstance(perturbations, pd.DataFrame):
        return written, None
    if not read:
        return perturbations, None
    return perturbations.assign(**{PERTURBATION: written}), labels


def warn_of_meant(read: Mapping[str, str], stacklevel: int) -> None:
    """Say which names were meant."""
    if not read:
        return
    shown = ", ".join(f"{old!r} as {new!r}" for old, new in list(read.items())[:5])
    more = f", … ({len(read):,} names)" if len(read) > 5 else ""
    warnings.warn(f"Read {shown}{more}.", UserWarning, stacklevel=stacklevel)


def _one_gene(names: list[str], known: pd.Index, others: Mapping[str, str]) -> dict[str, str]:
    """Return the known gene that each name stands for, if it is one."""
    found = {name: others[name] for name in names if name in others}
    genes = tuple(map(str, known))
    spelled = _by_spelling(genes)
    for name in names:
        same = spelled.get(plain_name(name))
        if name not in found and same is not None:
            found[name] = same
    left = [name for name in names if name not in found]
    if left:
        exact = frozenset(known)
        symbols = map_genes([*left, *(name.upper() for name in left)])["symbol"]
        of_symbol = _by_symbol(genes)
        for name in left:
            upper = name.upper()
            is_symbol = symbols[upper] == upper  # elk3 is ELK3, though an alias of KCNH8
            candidates = [upper] if is_symbol else [symbols[name], symbols[upper]]
            symbol = next((s for s in candidates if isinstance(s, str)), None)
            node = symbol if symbol in exact else of_symbol.get(symbol or "")
            if node is not None:
                found[name] = node
    return found


@lru_cache(maxsize=8)
def _by_spelling(genes: tuple[str, ...]) -> dict[str, str | None]:
    """Return genes by :func:`plain_name`; ``None`` for a name that several have."""
    found: dict[str, str | None] = {}
    for gene in genes:
        plain = plain_name(gene)
        found[plain] = None if plain in found else gene
    return found


@lru_cache(maxsize=8)
def _by_symbol(genes: tuple[str, ...]) -> dict[str, str]:
    """Return genes by their current symbols, without symbols that several have."""
    symbols = map_genes(genes)["symbol"].dropna()
    symbols = symbols[~symbols.duplicated(keep=False)]
    return {symbol: str(gene) for gene, symbol in symbols.items()}
