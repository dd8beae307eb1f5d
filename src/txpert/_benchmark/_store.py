"""Finished runs on disk, so that a benchmark goes on where it stopped.

They are JSON with digests: the pickles of ``joblib.Memory`` run code when they are opened.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pandas as pd

from txpert._files import file_name
from txpert._fingerprint import NotHashable, fingerprint
from txpert._stored import read_json, write_json

_VERSION = 1
_WHAT = "a run that tx.benchmark stored"


class Store:
    """A folder with a file for each finished run; without a folder it keeps nothing.

    Parameters
    ----------
    folder
        Made if it does not exist.

    Raises
    ------
    ValueError
        If the folder cannot be written.
    """

    def __init__(self, folder: str | Path | None) -> None:
        self._folder = None if folder is None else Path(folder) / "runs"
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self._folder):
                pass
        except OSError as error:
            raise ValueError(
                f"Runs cannot be stored in {str(self._folder)!r} ({error.strerror or error}): "
                "give a folder that you may write to, or benchmark without folder."
            ) from error

    def mark(self, what: str, *values: Any) -> str | None:
        """Return a hash of what decides an outcome; ``None`` where nothing is to be stored.

        What has no content to hash is run again every time; a warning says so, and why.
        """
        if self._folder is None:
            return None
        try:
            return fingerprint(*values)
        except NotHashable as reason:
            warnings.warn(
                f"{what} holds {reason}, whose content cannot be hashed: what depends on it is "
                "not stored, and is run again by the next call.",
                UserWarning,
                stacklevel=2,
            )
            return None

    def read(self, name: str, key: tuple[Any, ...]) -> tuple[dict[str, Any], pd.DataFrame] | None:
        """Return what was stored under this name and key, if anything was.

        A file that cannot be read is named in a warning, and what it holds is run again.
        """
        path = self._path(name, key)
        if path is None or not path.exists():
            return None
        try:
            stored = read_json(path, _WHAT, version=_VERSION)
            return stored["run"], pd.DataFrame(stored["table"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            warnings.warn(f"{error} {name} is run again.", UserWarning, stacklevel=2)
            return None

    def write(
        self, name: str, key: tuple[Any, ...], run: dict[str, Any], table: pd.DataFrame
    ) -> None:
        """Store a run; the file appears when it is complete.

        Where it cannot be written, for a full disk perhaps, a warning says so.
        """
        path = self._path(name, key)
        if path is None:
            return
        try:
            write_json(path, {"run": run, "table": table.to_dict("list")}, version=_VERSION)
        except OSError as error:
            warnings.warn(
                f"{error} The benchmark goes on, and {name} would be run again by the next call.",
                UserWarning,
                stacklevel=2,
            )

    def _path(self, name: str, key: tuple[Any, ...]) -> Path | None:
        if self._folder is None or None in key:
            return None
        mark = fingerprint(_VERSION, name, *key)[:16]
        return self._folder / f"{file_name(name)}-{mark}.json"
