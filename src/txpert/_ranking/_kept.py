"""Finished blocks of a ranking, kept in a file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from txpert._files import FilePath, replacing
from txpert._types import FloatArray

_KIND = "txpert ranking 1"
_SEPARATOR = "/"


class Kept:
    """What a ranking has found so far, stage by stage, in a file that is replaced whole.

    Parameters
    ----------
    path
        The file; ``None`` keeps nothing.
    task
        What is ranked, as text: a file of another task is refused.

    Raises
    ------
    ValueError
        If the file is of another task, or of no ranking at all.
    OSError
        If it cannot be written.
    """

    def __init__(self, path: FilePath | None = None, task: str = "") -> None:
        self._path, self._task = path, task
        self._stages: dict[str, dict[str, np.ndarray]] = {}
        if path is None:
            return
        if Path(path).exists():
            self._read()
        else:
            self._write()

    def find(self, stage: str, probe: FloatArray) -> Mapping[str, np.ndarray] | None:
        """Return the arrays of a stage, if there are any.

        Parameters
        ----------
        stage
            Its name.
        probe
            Numbers that tell the effects ranked from others.

        Raises
        ------
        ValueError
            If the stage was found with effects of another probe.
        """
        found = self._stages.get(stage)
        if found is None:
            return None
        stored = found["probe"]
        near = 1e-3 * max(float(np.abs(probe).max(initial=0)), 1e-12)
        if stored.shape != probe.shape or not np.allclose(stored, probe, rtol=1e-3, atol=near):
            raise self._other()
        return found

    def store(self, stage: str, probe: FloatArray, **arrays: np.ndarray) -> None:
        """Keep the arrays of a stage in place of those before."""
        if self._path is not None:
            self._stages[stage] = {"probe": probe, **arrays}
            self._write()

    def _read(self) -> None:
        assert self._path is not None
        try:
            with np.load(self._path) as file:
                arrays = {name: file[name] for name in file.files}
            kind, task = str(arrays.pop("kind")), str(arrays.pop("task"))
        except (OSError, EOFError, ValueError, KeyError, AttributeError, zipfile.BadZipFile):
            kind, task = "", ""
        if kind != _KIND:
            raise ValueError(
                f"{self._path} is no file of a ranking; name one that does not exist yet."
            )
        if task != self._task:
            raise self._other()
        for name, values in arrays.items():
            stage, key = name.split(_SEPARATOR)
            self._stages.setdefault(stage, {})[key] = values

    def _write(self) -> None:
        assert self._path is not None
        arrays: dict[str, Any] = {
            f"{stage}{_SEPARATOR}{key}": values
            for stage, of in self._stages.items()
            for key, values in of.items()
        }
        arrays |= {"kind": np.array(_KIND), "task": np.array(self._task)}
        with replacing(self._path) as part, part.open("wb") as file:
            np.savez(file, **arrays)

    def _other(self) -> ValueError:
        return ValueError(
            f"{self._path} holds the ranking of another model, signature or choice of options; "
            "remove it, or name another file."
        )
