"""Files that carry the version of their format and a digest of their content."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from txpert._files import FilePath, locked, replacing, sha256_of


def not_readable(path: FilePath, what: str, reason: object) -> ValueError:
    """Return the error for a file that is damaged or is something else.

    Parameters
    ----------
    path
        The file.
    what
        What it should be, such as ``"a graph written by KnowledgeGraph.save"``.
    reason
        What was found instead.
    """
    return ValueError(f"{path} is not {what}, or is cut off or damaged ({reason}).")


def check_format(path: FilePath, found: Any, version: int) -> None:
    """Refuse a file of a later format.

    Raises
    ------
    ValueError
        If it is one; the message names the file.
    """
    if not isinstance(found, int) or found > version:
        raise ValueError(
            f"{path} has format {found}, and this version of txpert reads formats up to "
            f"{version}: update txpert."
        )


def write_json(path: FilePath, content: Any, *, version: int) -> None:
    """Write plain values with the version of their format and a digest.

    Raises
    ------
    OSError
        If the file cannot be written; what was there before is unchanged.
    """
    whole = {"format": version, "sha256": _digest(version, content), "content": content}
    text = json.dumps(whole)
    with replacing(path) as part:
        part.write_text(text)


def read_json(path: FilePath, what: str, *, version: int) -> Any:
    """Read what :func:`write_json` wrote.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is something else than ``what``, damaged, or of a later format than ``version``; the
        message names the file.
    """
    data = Path(path).read_bytes()
    try:
        whole = json.loads(data)
        found, digest, content = whole["format"], whole["sha256"], whole["content"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise not_readable(path, what, _in_short(error)) from error
    check_format(path, found, version)
    if digest != _digest(found, content):
        raise not_readable(path, what, "its content does not match its digest")
    return content


def _digest(version: int, content: Any) -> str:
    return sha256_of(json.dumps([version, content], sort_keys=True).encode())


def _in_short(error: BaseException) -> str:
    lacking = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
    return f"{type(error).__name__}: {lacking}"


def write_set(
    index: FilePath, files: Mapping[str, bytes], about: Mapping[str, Any], *, version: int
) -> None:
    """Write files that belong together, and an index that names their digests.

    At any moment the folder holds the whole old set or the whole new one: new files first get
    names of their own, the index is replaced, and then they take their places.

    Parameters
    ----------
    index
        The index, a JSON file; the others lie in its folder.
    files
        Content by file name.
    about
        Further plain values for the index.
    version
        Version of the format.

    Raises
    ------
    OSError
        If a file cannot be written; the old set is unchanged.
    """
    index = Path(index)
    staged = {name: _staged(index, name, sha256_of(data)) for name, data in files.items()}
    with locked(index.parent):
        fresh = [path for path in staged.values() if not path.exists()]
        try:
            for name, data in files.items():
                with replacing(staged[name]) as part:
                    part.write_bytes(data)
            digests = {name: sha256_of(data) for name, data in files.items()}
            write_json(index, {**about, "files": digests}, version=version)
        except BaseException:
            for path in fresh:
                path.unlink(missing_ok=True)
            raise
        for name, path in staged.items():
            path.replace(index.parent / name)
            for leftover in index.parent.glob(_staged(index, name, "*").name):
                leftover.unlink(missing_ok=True)


def read_set(
    index: FilePath, names: Sequence[str], what: str, *, version: int
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read what :func:`write_set` wrote: its values, and the content of the files named.

    Raises
    ------
    FileNotFoundError
        If there is no index.
    ValueError
        If a file is missing, damaged or changed; the message names it.
    """
    index = Path(index)
    with locked(index.parent):
        about = read_json(index, what, version=version)
        try:
            digests = {name: str(about["files"][name]) for name in names}
        except (KeyError, TypeError) as error:
            raise not_readable(index, what, _in_short(error)) from error
        files = {name: _of_set(index, name, digest) for name, digest in digests.items()}
    return about, files


def _of_set(index: Path, name: str, digest: str) -> bytes:
    path = index.parent / name
    for candidate in (path, _staged(index, name, digest)):
        data = candidate.read_bytes() if candidate.is_file() else None
        if data is not None and sha256_of(data) == digest:
            return data
    lines = path.read_bytes().count(b"\n") if path.is_file() else None
    state = "is missing" if lines is None else f"is cut off, damaged or changed ({lines:,} lines)"
    raise ValueError(f"{path} {state}: it is not the file that {index.name} was written with.")


def _staged(index: Path, name: str, digest: str) -> Path:
    return index.parent / f".{name}.{digest[:16]}.new"
