"""Finished runs on disk, so that a benchmark goes on where it stopped."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pandas as pd

from ._fingerprint import fingerprint

_FORMAT = 1


class Store:
    """A folder with a file for each finished run; without a folder it keeps nothing."""

    def __init__(self, folder: str | Path | None) -> None:
        self._folder = None if folder is None else Path(folder) / "runs"
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)

    def read(self, name: str, key: tuple[Any, ...]) -> tuple[dict[str, Any], pd.DataFrame] | None:
        """Return what was stored under this name and key, if anything was."""
        path = self._path(name, key)
        if path is None or not path.exists():
            return None
        stored = json.loads(path.read_text())
        return stored["run"], pd.DataFrame(stored["table"])

    def write(
        self, name: str, key: tuple[Any, ...], run: dict[str, Any], table: pd.DataFrame
    ) -> None:
        """Store a run; the file appears when it is complete."""
        path = self._path(name, key)
        if path is None:
            return
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps({"run": run, "table": table.to_dict("list")}))
        part.replace(path)

    def _path(self, name: str, key: tuple[Any, ...]) -> Path | None:
        if self._folder is None:
            return None
        readable = re.sub(r"[^\w.-]+", "_", name)[:80]
        return self._folder / f"{readable}-{fingerprint(_FORMAT, name, *key)[:16]}.json"
