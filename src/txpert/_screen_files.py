"""Files of screens and folders for results, as commands read and write them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import anndata as ad
import pandas as pd

from txpert._constants import CONTROL
from txpert.data._registrations import DATA_IDENTIFIER, MANAGER_IDENTIFIER
from txpert.data._tokens import canonical_label
from txpert.data._values import check_counts


def reason(error: Exception) -> str:
    """Return the message of an error in one line."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return " ".join(text.split()) or type(error).__name__


def read_h5ad(path: str | Path) -> ad.AnnData:
    """Read an h5ad file, without a registration of the session that wrote it.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged, or none.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        adata = ad.read_h5ad(path)
    # What a damaged or foreign file fails with depends on where it is damaged.
    except Exception as error:
        raise ValueError(
            f"{path} is not an h5ad file, or is cut off or damaged ({reason(error)})."
        ) from error
    for name in (DATA_IDENTIFIER, MANAGER_IDENTIFIER):  # options of commands name the columns
        adata.uns.pop(name, None)
    return adata


def has_counts(adata: ad.AnnData) -> bool:
    """Whether expression is raw counts."""
    try:
        check_counts(adata.X, "adata.X")
    except ValueError:
        return False
    return True


def usual_control_labels(labels: pd.Series[Any]) -> list[str]:
    """Return the labels in a column that mean control, such as ``"ctrl"`` or ``"NT"``.

    They are the controls of a file that neither flags controls nor comes with their label.

    Raises
    ------
    ValueError
        If a label is malformed.
    """
    return [label for label in labels.astype(str).unique() if canonical_label(label) == CONTROL]


@contextmanager
def folder_for_results(name: str | Path) -> Iterator[Path]:
    """Make a folder; if what follows fails and leaves it empty, it is removed again.

    Raises
    ------
    ValueError
        If it cannot be written to.
    """
    out = Path(name)
    new = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise ValueError(
            f"Results cannot be written to {name} ({error.strerror or error}): name a folder by "
            "--out."
        ) from error
    try:
        yield out
    except BaseException:
        with suppress(OSError):
            for folder in new:
                folder.rmdir()
        raise
