"""Several files as one screen, without reading or concatenating their cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

import anndata as ad
import pandas as pd
from anndata import AnnData

from txpert._constants import MEASURED
from txpert._files import FilePath
from txpert._options import check_choice
from txpert.data import ObsKeys
from txpert.data._keys import (
    BATCH_KEY,
    CELL_LINE_KEY,
    CONTROL_KEY,
    MODALITY_KEY,
    OPTIONAL,
    PERTURBATION_KEY,
    SPLIT_KEY,
)
from txpert.data._lazy import open_lazily, scale_of
from txpert.data._matrix import expression_matrix
from txpert.data._values import UnusableValuesError

from ._panels import measured_by_line, warn_of_panels

_TOLERANCE = 0.02
"""Relative difference of the sums that cells were normalized to."""


def open_screen(
    files: Mapping[str, FilePath] | Iterable[FilePath],
    *,
    genes: Literal["all", "shared"] = "all",
    perturbation_key: str = PERTURBATION_KEY,
    control_key: str = CONTROL_KEY,
    batch_key: str | None = BATCH_KEY,
    cell_line_key: str | None = CELL_LINE_KEY,
    split_key: str | None = SPLIT_KEY,
    modality_key: str | None = MODALITY_KEY,
    control_label: str | Sequence[str] | None = None,
    file_key: str = "file",
    layer: str | None = None,
) -> AnnData:
    """Open several files as one screen; their cells stay on disk.

    ``X`` and layers are dask arrays that read rows of a file when they are needed, for
    :func:`txpert.pp.pseudobulk` and ``TxPertModel``. The annotation is read.

    Where files have other genes, those that a file lacks are not measured in its cell lines: they
    are marked as by :func:`txpert.pp.mark_unmeasured`, so that zeros in place of them are not
    read. A gene counts as measured in a cell line if all files with the line have it; one that no
    line measured is left out.

    Parameters
    ----------
    files
        h5ad files and zarr stores; in a dictionary, by the names to give them. Else the name of a
        file is that of its path without ``.h5ad`` or ``.zarr``.
    genes
        "all": those of any file; "shared": those of every file.
    perturbation_key, control_key, batch_key, cell_line_key, split_key, modality_key, control_label
        obs columns and labels as in ``setup_anndata``. The optional ones are in all files or in
        none.
    file_key
        New obs column, for the name of the file.
    layer
        What must be on one scale in all files; ``None`` takes ``X``.

    Returns
    -------
    Cells × genes, cells named ``cell-file``, with the layers that all files have.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If dask or xarray is not installed.
    KeyError
        If a file lacks a column or the layer.
    TypeError
        If there is something other than paths.
    ValueError
        If a file is listed twice, is damaged, or has values on another scale; or no gene is
        shared. The message names the file.

    Warns
    -----
    UserWarning
        If files with the same cell line have other genes.

    Examples
    --------
    >>> import tempfile
    >>> import txpert as tx
    >>> adata, folder = tx.datasets.toy(), tempfile.mkdtemp()
    >>> for line in ("K562", "RPE1"):
    ...     adata.obs["cell_line"] = line
    ...     adata.write_h5ad(f"{folder}/{line}.h5ad")
    >>> screen = tx.pp.open_screen([f"{folder}/K562.h5ad", f"{folder}/RPE1.h5ad"])
    >>> screen.n_obs == 2 * adata.n_obs, screen.obs["file"].unique().tolist()
    (True, ['K562', 'RPE1'])
    """
    check_choice("genes", genes, ("all", "shared"))
    paths = _named(files)
    opened = {name: open_lazily(path) for name, path in paths.items()}
    keys = ObsKeys(
        perturbation_key,
        control_key,
        batch_key,
        cell_line_key,
        split_key,
        modality_key,
        control_label,
    )
    line_key = _check_columns(opened, paths, keys, file_key)
    _check_scales(opened, paths, layer)
    measured = measured_by_line(opened, line_key)
    if genes == "shared":
        common = set.intersection(*(set(one.var_names) for one in opened.values()))
        measured = measured.loc[measured.index.isin(common)]
    else:
        warn_of_panels(opened, measured, line_key)
    measured = measured.loc[measured.any(axis=1)]
    if not len(measured):
        raise ValueError(f"No gene is in all of {', '.join(map(str, paths.values()))}.")
    whole = _concatenated(opened, measured.index, file_key)
    if not measured.to_numpy().all():
        whole.varm[MEASURED] = measured.loc[whole.var_names]
    return whole


def _check_columns(
    opened: Mapping[str, AnnData], paths: Mapping[str, Path], keys: ObsKeys, file_key: str
) -> str | None:
    """Check the columns of each file; return that of the cell line, if there is one."""
    found = {name: keys.resolve(one.obs, f"obs of {paths[name]}") for name, one in opened.items()}
    for what in OPTIONAL:
        having = [name for name in found if found[name][what] is not None]
        without = [name for name in found if found[name][what] is None]
        if having and without:
            raise KeyError(
                f"obs of {paths[without[0]]} has no column {keys[what]!r} ({what}_key), which "
                f"{paths[having[0]]} has. Add it, or pass {what}_key=None."
            )
    for name, one in opened.items():
        if file_key in one.obs:
            raise ValueError(
                f"obs of {paths[name]} has a column {file_key!r} already; choose another file_key."
            )
    return next(iter(found.values())).cell_line


def _check_scales(
    opened: Mapping[str, AnnData], paths: Mapping[str, Path], layer: str | None
) -> None:
    """Refuse files whose values are of different kinds, or normalized to different sums."""
    first: tuple[Path, str, float] | None = None
    for name, one in opened.items():
        path = paths[name]
        try:
            kind, total = scale_of(expression_matrix(one, layer), layer)
        except (KeyError, UnusableValuesError, OSError) as error:
            raise type(error)(f"{path}: {error.args[0]}") from error
        if first is None:
            first = path, kind, total
        elif kind != first[1]:
            raise ValueError(
                f"{path} holds {kind}, {first[0]} {first[1]}. Bring them to one scale, for example"
                " counts everywhere and target_sum= in setup_anndata."
            )
        elif abs(total / first[2] - 1) > _TOLERANCE:
            raise ValueError(
                f"Cells of {path} are normalized to {total:,.0f} counts, those of {first[0]} to "
                f"{first[2]:,.0f}. Normalize all files to one sum."
            )


def _concatenated(opened: Mapping[str, AnnData], genes: pd.Index, file_key: str) -> AnnData:
    parts = {}
    for name, one in opened.items():
        kept = one.var_names.isin(genes)
        parts[name] = one if kept.all() else one[:, kept]
    return ad.concat(
        parts, join="outer", label=file_key, index_unique="-", fill_value=0, merge="same"
    )


def _named(files: Mapping[str, FilePath] | Iterable[FilePath]) -> dict[str, Path]:
    """Return the paths by the names of the files."""
    if isinstance(files, str | PathLike):
        files = [files]
    listed = list(files.values() if isinstance(files, Mapping) else files)
    for path in listed:
        if not isinstance(path, str | PathLike):
            raise TypeError(
                f"files are paths of h5ad files or zarr stores, not {type(path).__name__}. "
                "Objects in memory are put together by anndata.concat."
            )
    if not listed:
        raise ValueError("files is empty: list at least one h5ad file or zarr store.")
    paths = [Path(path) for path in listed]
    names = [path.name.removesuffix(".h5ad").removesuffix(".zarr") for path in paths]
    if isinstance(files, Mapping):
        names = [str(name) for name in files]
    seen: dict[Path, Path] = {}
    for path in paths:
        if path.resolve() in seen:
            raise ValueError(f"{path} is listed twice.")
        seen[path.resolve()] = path
    for name, path in zip(names, paths, strict=True):
        first = paths[names.index(name)]
        if first != path:
            raise ValueError(
                f"{first} and {path} would both be named {name!r}. Name them by a dictionary: "
                f"{{'first': {str(first)!r}, 'second': {str(path)!r}}}"
            )
    return dict(zip(names, paths, strict=True))
