"""Writing files whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

FilePath = str | PathLike[str]

_STALE = 24 * 3600
"""Seconds after which what a killed process left behind is removed."""


@contextmanager
def replacing(path: FilePath) -> Iterator[Path]:
    """Yield a file to write to, which takes the place of ``path`` once it is complete.

    It lies in the same folder and ends in the same suffix. If writing fails or is interrupted it
    is removed. Then, and if the process is killed, what was at ``path`` stays as it was.

    Raises
    ------
    OSError
        If the file cannot be written; the message names ``path`` and the reason.
    """
    # Of a link, the file that it points to is replaced, as open(path, "w") would do.
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {target.parent}.")
    if target.exists() and not target.is_file():
        raise IsADirectoryError(f"{path} cannot be written: a folder or device has that name.")
    part = _aside(target)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, part)
        part.replace(target)
    except ConnectionError:
        raise
    except OSError as error:
        raise _unwritten(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


@contextmanager
def replacing_in(folder: FilePath) -> Iterator[Path]:
    """Yield an empty folder whose files go into ``folder`` once all of them are complete.

    Each takes the place of the one of its name in one step, in the order of their names; other
    files stay. The folder is made if it does not exist. If writing fails or is interrupted, or the
    process is killed before, everything stays as it was.

    Raises
    ------
    OSError
        If a file cannot be written; the message names ``folder`` and the reason.
    """
    target = Path(os.path.realpath(folder))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = _aside(target)
        aside.mkdir()
    except OSError as error:
        raise _unwritten(folder, error) from error
    try:
        yield aside
        target.mkdir(exist_ok=True)
        for file in sorted(aside.iterdir()):
            with replacing(target / file.name) as part:
                file.replace(part)
    except OSError as error:
        raise _unwritten(folder, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _aside(target: Path) -> Path:
    """Return a name next to that of a file or folder; remove what killed processes left."""
    mark = hashlib.sha256(target.name.encode(errors="surrogateescape")).hexdigest()[:12]
    _remove_stale(target.parent, mark)
    return target.parent / f".{mark}-{uuid.uuid4().hex[:12]}.part{target.suffix[:20]}"


def _unwritten(path: FilePath, error: OSError) -> OSError:
    kind = type(error) if type(error).__module__ == "builtins" else OSError
    reason = error.strerror or error
    named = kind(f"{path} could not be written ({reason}); what was there before is unchanged.")
    named.errno = error.errno
    return named


def _remove_stale(folder: Path, mark: str) -> None:
    for part in folder.glob(f".{mark}-*.part*"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime <= _STALE:
                continue
            if part.is_dir():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink()


@contextmanager
def locked(folder: FilePath) -> Iterator[None]:
    """Keep other processes that ask for the same lock waiting; a killed one frees it.

    Where the system or the file system has no such locks, nobody waits.
    """
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: FilePath) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_name(text: str, n_bytes: int = 80) -> str:
    """Return a name for people as part of a file name: no separators, dots or great length."""
    plain = re.sub(r"[^\w.-]+", "_", text).lstrip(".-") or "_"
    return plain.encode(errors="ignore")[:n_bytes].decode(errors="ignore")
