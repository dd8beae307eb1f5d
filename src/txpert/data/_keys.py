"""Which obs columns hold what of a screen, resolved once for all signatures."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import pandas as pd
from anndata import AnnData

from txpert._constants import BATCH, CELL_LINE, CONTROL, MODALITY, PERTURBATION, SPLIT
from txpert._options import check_name, check_names

from ._registrations import (
    DATA_IDENTIFIER,
    MANAGER_IDENTIFIER,
    NAMED,
    identifiers,
    registered_keys,
    remember_keys,
)
from ._tokens import drop_controls

logger = logging.getLogger("txpert")


class DefaultKey(str):
    """The default name of an obs column, distinguished from the same name given by the user.

    A key left at its default stands for the column that ``setup_anndata`` registered, if any.
    """

    __slots__ = ()


PERTURBATION_KEY: Final = DefaultKey(PERTURBATION)
CONTROL_KEY: Final = DefaultKey(CONTROL)
BATCH_KEY: Final = DefaultKey(BATCH)
CELL_LINE_KEY: Final = DefaultKey(CELL_LINE)
SPLIT_KEY: Final = DefaultKey(SPLIT)
MODALITY_KEY: Final = DefaultKey(MODALITY)

_COLUMNS = (PERTURBATION, CONTROL, BATCH, CELL_LINE, SPLIT, MODALITY)
OPTIONAL = (BATCH, CELL_LINE, SPLIT, MODALITY)
_LABEL = "control_label"


@dataclass(frozen=True)
class ObsKeys:
    """Names of the obs columns of a screen.

    Parameters
    ----------
    perturbation
        Column of what was done to each cell.
    control
        Column that is ``True`` for unperturbed cells.
    batch, cell_line, split
        Columns of the context and the split; ``None`` ignores them. Under their default names
        they are used where they exist.
    modality
        Column of the kind of perturbation (CRISPRi, CRISPRa, knockout), as ``batch``.
    control_label
        Labels of unperturbed cells, which then take the place of the column ``control``.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> adata.obs = adata.obs.rename(columns={"perturbation": "gene", "batch": "lane"})
    >>> keys = tx.data.ObsKeys.of(
    ...     adata, perturbation="gene", batch="lane", control_label="control"
    ... )
    >>> columns = keys.columns(adata.obs)
    >>> {name: column.nunique() for name, column in columns.items()}
    {'perturbation': 13, 'batch': 2, 'control': 2}
    >>> int(columns["control"].sum())
    60
    """

    perturbation: str = PERTURBATION_KEY
    control: str = CONTROL_KEY
    batch: str | None = BATCH_KEY
    cell_line: str | None = CELL_LINE_KEY
    split: str | None = SPLIT_KEY
    modality: str | None = MODALITY_KEY
    control_label: str | Sequence[str] | None = None

    @classmethod
    def of(
        cls,
        adata: AnnData,
        *,
        perturbation: str = PERTURBATION_KEY,
        control: str = CONTROL_KEY,
        batch: str | None = None,
        cell_line: str | None = None,
        split: str | None = None,
        modality: str | None = None,
        control_label: str | Sequence[str] | None = None,
    ) -> ObsKeys:
        """Return the keys that a caller gave; those left at their defaults as registered, if so.

        Other than of the fields, the default of optional columns is ``None``: a function reads
        those only that it has an argument for and passes on.

        Parameters
        ----------
        adata
            Cells × genes.
        perturbation, control, batch, cell_line, split, modality, control_label
            As the fields.

        Raises
        ------
        ValueError
            If both a control column and control labels are given.

        Warns
        -----
        UserWarning
            If the data were registered with other columns in another session: which these are is
            not known, and the default ones are read.
        """
        check_anndata(adata)
        if not isinstance(control_label, str | None):
            control_label = check_names("control_label", control_label)
        given = cls(perturbation, control, batch, cell_line, split, modality, control_label)
        if control_label is not None and not isinstance(control, DefaultKey):
            raise ValueError(
                f"control_key={control!r} and control_label={control_label!r} both say which "
                "cells are controls. Give one of them."
            )
        default = [name for name in _COLUMNS if isinstance(given[name], DefaultKey)]
        known = registered_keys(adata)
        if known is None and default:
            _warn_of_another_session(adata, default)
        if known is None:
            return given
        taken = {name: known[name] for name in default}
        if CONTROL in taken and control_label is None:
            taken[_LABEL] = known.control_label
        return replace(given, **taken)

    def check_added(self, key_added: str) -> None:
        """Raise a ValueError if a column to be written is one that is read.

        The split is read and may be written again.
        """
        check_name("key_added", key_added)
        read = [name for name in _COLUMNS if name != SPLIT and self[name] == key_added]
        if read:
            raise ValueError(
                f"key_added={key_added!r} would overwrite the column of {read[0]}s that is read. "
                "Give it another name."
            )

    def register(self, adata: AnnData) -> None:
        """Remember the keys for later calls with the same data or a copy of it.

        Nothing is written into ``adata``; data that scvi-tools has not registered are not known.
        What was registered longest ago is forgotten where there is too much.
        """
        if DATA_IDENTIFIER in adata.uns:
            remember_keys(dict.fromkeys(identifiers(adata), self))

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def columns_named(self) -> Iterator[tuple[str, str]]:
        """Yield what each column is for and its name, if it has one."""
        for field in fields(self):
            key = self[field.name]
            if key is not None and field.name != _LABEL:
                yield field.name, key

    def resolve(self, obs: Any, where: str = "adata.obs") -> ObsKeys:
        """Return the keys without optional columns that do not exist.

        Parameters
        ----------
        obs
            Annotation of the cells.
        where
            How error messages call ``obs``.

        Raises
        ------
        KeyError
            If a column is missing.
        """
        wanted = dict(self.columns_named())
        if self.control_label is not None:
            del wanted[CONTROL]
        found: dict[str, Any] = {}
        for name, key in wanted.items():
            try:
                found[name] = resolve_key(name, key, obs, where)
            except KeyError as error:
                hint = " Or name the label of controls by control_label=."
                raise KeyError(f"{error.args[0]}{hint if name == CONTROL else ''}") from None
        return replace(self, **found)

    def columns(self, obs: Any, where: str = "adata.obs") -> dict[str, pd.Series[Any]]:
        """Bring the columns into memory, by what they are for.

        Parameters
        ----------
        obs
            Annotation of the cells: a frame, or what :func:`anndata.experimental.read_lazy` reads.
        where
            How error messages call ``obs``.

        Raises
        ------
        KeyError
            If a column is missing.
        ValueError
            If no cell has one of the control labels.
        """
        named = dict(self.resolve(obs, where).columns_named())
        if self.control_label is None:
            return obs_columns(obs, named)
        del named[CONTROL]
        columns = obs_columns(obs, named)
        return columns | {CONTROL: flag_controls(columns[PERTURBATION], self.control_label)}


ASSUMED_KEYS: Final = ObsKeys()
"""What is read, after a warning, of data that were registered in another session."""


def names_columns(arguments: Mapping[str, Any], obs: pd.DataFrame) -> bool:
    """Say whether the arguments of a registration lead to other columns than the default ones."""
    keys = {name: arguments.get(f"{name}_key") for name in _COLUMNS}
    others = [name for name, key in keys.items() if key not in (None, name)]
    left_out = [name for name, key in keys.items() if key is None and name in obs]
    return bool(others or left_out) or arguments.get(_LABEL) is not None


def _warn_of_another_session(adata: AnnData, default: Sequence[str]) -> None:
    """Warn, once, that default columns are read of data that were set up with others."""
    if not str(adata.uns.get(MANAGER_IDENTIFIER, "")).endswith(NAMED):
        return
    warnings.warn(
        "These data were set up in another session with obs columns of other names, which are not "
        f"known in this one: the default ones are read ({', '.join(default)}). Name the columns "
        "here, or run TxPertModel.setup_anndata(adata, ...) again.",
        UserWarning,
        stacklevel=4,
    )
    ASSUMED_KEYS.register(adata)


def check_anndata(data: Any, name: str = "adata") -> None:
    """Raise a TypeError if what should be cells × genes is no AnnData."""
    if not isinstance(data, AnnData):
        hint = "; read the file first: anndata.read_h5ad(path)" if isinstance(data, str) else ""
        if isinstance(data, list | tuple) or type(data).__name__ == "AnnCollection":
            hint = "; several files are opened as one by tx.pp.open_screen(paths)"
        if type(data).__name__ == "MuData":
            modality = "rna" if "rna" in data.mod else next(iter(data.mod), "rna")
            raise TypeError(
                f"{name} takes an AnnData, and this is a MuData: give its modality with the "
                f"expression, such as mdata[{modality!r}], with the annotation of the cells in "
                "its obs; or set all of it up by TxPertModel.setup_mudata(mdata)."
            )
        raise TypeError(f"{name} is an AnnData, not {type(data).__name__}{hint}.")


def flag_controls(labels: pd.Series[Any], control: str | Sequence[str]) -> pd.Series[Any]:
    """Return which cells have a control label.

    Raises
    ------
    ValueError
        If a control label is that of no cell, or another label means control, too.
    """
    names = [control] if isinstance(control, str) else list(control)
    present = labels.astype(str)
    known = list(present.unique())
    absent = [name for name in names if name not in known]
    if absent or not names:
        some = ", ".join(map(repr, known[:5])) + (", …" if len(known) > 5 else "")
        raise ValueError(
            f"control_label={absent[0] if absent else control!r} is no label of the obs column "
            f"{labels.name!r}, which has {some}."
        )
    others = [
        label
        for label in known
        if label not in names and drop_controls(label.strip(), names) == CONTROL
    ]
    if others:
        n_cells = int(present.isin(others).sum())
        raise ValueError(
            f"{n_cells:,} cells have {labels.name} = {others[0]!r}, which means control, but "
            f"control_label={control!r} leaves it out. Name all labels of controls: "
            f"control_label={[*names, *others]!r}; or drop the cells; or rename the label if it "
            "is a gene."
        )
    return present.isin(names).rename(CONTROL)


def resolve_key(name: str, key: str | None, obs: pd.DataFrame, where: str) -> str | None:
    """Check the name of an obs column before anything is read.

    Batch, cell line, split and modality are optional: under their default name they are used
    where they exist. A column asked for by any other name must exist.

    Parameters
    ----------
    name
        What the column is for: perturbation, control, batch, cell_line, split or modality.
    key
        The column's name, or ``None``.
    obs
        Annotation of the cells.
    where
        How error messages call ``obs``.

    Raises
    ------
    KeyError
        If the column is missing.
    """
    if key is None or key in obs:
        return key
    if name in OPTIONAL and key == name:
        logger.info("%s has no column %r: %s.", where, key, _without(name))
        return None
    message = f"{where} has no column {key!r} ({name}_key). It has: {', '.join(map(str, obs))}."
    if name == CONTROL:
        message += f" To make it: {where}[{key!r}] = {where}[<perturbation column>] == 'control'"
    raise KeyError(message)


def obs_columns(obs: Any, keys: Mapping[str, str | None]) -> dict[str, pd.Series[Any]]:
    """Bring columns into memory.

    Parameters
    ----------
    obs
        Annotation of the cells: a frame, or what :func:`anndata.experimental.read_lazy` reads.
    keys
        Column by what it is for; ``None`` is left out.

    Raises
    ------
    ValueError
        If a column occurs twice.
    """
    named = {name: key for name, key in keys.items() if key is not None}
    frame = obs if isinstance(obs, pd.DataFrame) else obs[list({*named.values()})].to_memory()
    columns = {name: frame[key] for name, key in named.items()}
    for column in columns.values():
        refuse_repeated(column)
    return columns


def refuse_repeated(column: Any) -> None:
    """Refuse what a frame returns for a name that several of its columns have.

    Raises
    ------
    ValueError
        The message names the column.
    """
    if isinstance(column, pd.DataFrame):
        raise ValueError(
            f"The obs column {column.columns[0]!r} occurs {column.shape[1]} times. Keep one: "
            "adata.obs = adata.obs.loc[:, ~adata.obs.columns.duplicated()]"
        )


def _without(name: str) -> str:
    if name == SPLIT:
        return "validation perturbations will be drawn when training starts"
    return f"all cells count as one {name.replace('_', ' ')}"
