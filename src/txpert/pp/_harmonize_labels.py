"""Writing perturbation labels the way the package reads them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import CONTROL, N_CELLS, PERTURBATION
from txpert._options import check_flag, check_name, check_names
from txpert._types import BoolArray
from txpert.data._keys import check_anndata
from txpert.data._labels import read_flags, read_names
from txpert.data._reading import read_labels
from txpert.data._tokens import canonical_label, drop_controls, names_no_target


def harmonize_labels(
    adata: AnnData,
    *,
    controls: str | Sequence[str] = (),
    guides: bool = True,
    perturbation_key: str = PERTURBATION,
    control_key: str = CONTROL,
) -> pd.DataFrame:
    """Rewrite labels so that each perturbation has one, made of gene names joined by ``"+"``.

    Combinations with another separator (``"A_B"``, ``"A|B"``, ``"A and B"``), names of controls
    within combinations (``"A_non-targeting"``), guides (``"A_1"``, ``"sgA-2"``, ``"A_P1P2"``,
    ``"A-gRNA1"``, ``"p_sgA_3"``, ``"A_+_12.23-P1P2|A_-_13.23-P1P2"``), rows of tables
    (``"10005_A_P1_ENSG00000174282"``), spellings (``"a"``, ``"A "``) and other names (``"MLL"``
    next to ``"KMT2A"``) are rewritten where all parts are genes of the data, other labels, or
    human gene symbols; var names are followed, but for Ensembl ids. A name that is a gene symbol
    in any case (``"Arg1"``) is never taken apart. Cells whose label consists of names of controls
    (``"NT"``, ``"NT-2"``, ``"non-targeting|non-targeting"``) are flagged as controls. Labels that
    name no target (``"unassigned"``, ``"2+ guides"``) are left as they are.

    Parameters
    ----------
    adata
        Cells × genes. ``obs[perturbation_key]`` is rewritten, ``obs[control_key]`` written or
        completed.
    controls
        Further labels of control cells, such as ``"AAVS1"``, and of their guides.
    guides
        Name guides by their gene. ``False`` leaves them as they are.
    perturbation_key, control_key
        obs columns.

    Returns
    -------
    One row per label changed, indexed by the old label: the new label, what it was
    (``"separator"``, ``"guide"``, ``"spelling"``, ``"alias"``, ``"control"``, or ``"order"`` for
    order and spaces of targets) and its number of cells.

    Raises
    ------
    KeyError
        If there is no column of perturbations.
    ValueError
        If ``adata`` is a view, a label is missing, malformed, or in ``controls`` but not in the
        data, or the control flag is not boolean.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> labels = adata.obs["perturbation"].astype(str)
    >>> adata.obs["perturbation"] = labels.replace({"GENE18": "GENE18_2"})
    >>> tx.pp.harmonize_labels(adata)["new"].to_dict()
    {'GENE18_2': 'GENE18'}
    """
    check_anndata(adata)
    check_flag("guides", guides)
    check_name("control_key", control_key)
    controls = check_names("controls", [controls] if isinstance(controls, str) else controls)
    if adata.is_view:
        raise ValueError("adata is a view; make a copy first: adata = adata.copy()")
    if perturbation_key not in adata.obs:
        raise KeyError(
            f"adata.obs has no column {perturbation_key!r} (perturbation_key). It has: "
            f"{', '.join(map(str, adata.obs.columns))}."
        )
    labels = read_names(adata.obs[perturbation_key])
    flag = _flag(adata, control_key)
    of_controls = {str(label) for label in labels.categories[np.unique(labels.codes[flag])]}
    named = _named_controls(labels, controls, of_controls)
    is_control = np.asarray(labels.categories.isin(named), dtype=bool)[labels.codes] | flag
    table = _changes(labels, of_controls, named, adata.var_names.astype(str), guides)
    new = table["new"].to_dict()
    renamed = [new.get(str(label), str(label)) for label in labels.categories]
    adata.obs[perturbation_key] = pd.Categorical(np.asarray(renamed, dtype=object)[labels.codes])
    adata.obs[control_key] = is_control
    return table


def _flag(adata: AnnData, key: str) -> BoolArray:
    if key not in adata.obs:
        return np.zeros(adata.n_obs, dtype=bool)
    return read_flags(adata.obs[key], f"adata.obs[{key!r}] = <perturbations> == 'control'")


def _named_controls(
    labels: pd.Categorical, controls: Sequence[str], flagged: set[str]
) -> set[str]:
    """Return the labels that are names of controls, by themselves or because the user says so."""
    known = [str(label) for label in labels.categories]
    absent = sorted(set(controls) - set(known))
    if absent:
        raise ValueError(
            f"controls={absent[0]!r} is no label of the data, which has "
            f"{', '.join(map(repr, known[:5]))}{', …' if len(known) > 5 else ''}."
        )
    given = {*controls, *flagged}
    return {
        label
        for label in known
        if label not in flagged and drop_controls(label.strip(), given) == CONTROL
    }


def _changes(
    labels: pd.Categorical, flagged: set[str], named: set[str], genes: pd.Index, guides: bool
) -> pd.DataFrame:
    """Return the labels to be rewritten, and as what."""
    cells = np.bincount(labels.codes, minlength=len(labels.categories))
    plain = {
        str(label): canonical_label(drop_controls(str(label).strip(), flagged | named))
        for label in labels.categories
        if str(label) not in flagged and not names_no_target(str(label))
    }
    reading = read_labels(set(plain.values()), genes)
    rows = []
    for label, n in zip(map(str, labels.categories), cells, strict=True):
        new = plain.get(label, label)
        kind: str | None = reading.kinds.get(new)
        if kind is None or (kind == "guide" and not guides):
            without = drop_controls(label.strip(), flagged | named)
            kind = "control" if without != label.strip() or new == CONTROL else "order"
        else:
            new = reading.label(new)
        if new != label:
            rows.append((label, new, kind, int(n)))
    return pd.DataFrame(rows, columns=["old", "new", "kind", N_CELLS]).set_index("old")
