"""A record on Zenodo: its files as the REST API lists them, and downloads checked by it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from txpert._download import cached
from txpert._files import file_name
from txpert._transfer import get_json

from ._conversion import check_h5ad

SITE = "https://zenodo.org"
RECORD = "15420279"
"""The data of the TxPert paper."""


@dataclass(frozen=True)
class Published:
    """A file of the record: name, number of bytes, and digest such as ``"md5:..."``."""

    name: str
    size: int
    digest: str


def page() -> str:
    """Return the address that people open."""
    return f"{SITE}/records/{RECORD}"


def listed() -> tuple[list[Published], str]:
    """Return the files of the record and its license, from Zenodo's REST API.

    Raises
    ------
    ConnectionError
        If the record can't be read; the message names the address.
    ValueError
        If the answer is not in the layout of a record.
    """
    address = f"{SITE}/api/records/{RECORD}"
    try:
        answer = get_json(address)
    except ConnectionError as error:
        raise ConnectionError(
            f"{error} Where there is a network, download the file by hand from {page()} and give "
            "path='...' of your copy."
        ) from error
    try:
        files = [
            Published(str(file["key"]), int(file["size"]), _digest(file["checksum"]))
            for file in answer["files"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{address} does not list files with key, size and checksum ({error!r}); download by "
            f"hand from {page()} and give path='...' of your copy."
        ) from error
    license_ = (answer.get("metadata") or {}).get("license") or {}
    return files, str(license_.get("id", "")) if isinstance(license_, dict) else str(license_)


def downloaded(name: str, folder: Path) -> Path:
    """Return the path of a file of the record, downloaded once and compared with its digest.

    Raises
    ------
    ConnectionError, ValueError
        As :func:`listed` and :func:`txpert._download.cached`, and if the record has no such file.
    """
    stored = f"{RECORD}-{file_name(name)}"
    address = f"{page()}/files/{quote(name)}?download=1"
    if (folder / stored).exists():
        # Zenodo's digest was compared when it was downloaded; now its SHA-256 is.
        return cached(address, stored, cache_dir=folder, check=_check_kind)
    files = {file.name: file for file in listed()[0]}
    if name not in files:
        raise ValueError(f"{page()} has no file {name!r}; it has {', '.join(files)}.")
    return cached(address, stored, cache_dir=folder, digest=files[name].digest, check=_check_kind)


@contextmanager
def unpacked(path: Path, member: str | None, folder: Path) -> Iterator[Path]:
    """Yield the h5ad file itself, or that of a zip file, unpacked for as long as it is needed.

    Parameters
    ----------
    path
        An h5ad file, or a zip file with some.
    member
        Which one of several.
    folder
        Where there is room to unpack.

    Raises
    ------
    ValueError
        If the file is neither, a member of an h5ad file is named, or the zip file has no such
        member, or several and none is named.
    """
    if not zipfile.is_zipfile(path):
        check_h5ad(path, str(path))
        if member is not None:
            raise ValueError(
                f"{path} is an h5ad file, and member={member!r} names one in a zip file: leave "
                "it out."
            )
        yield path
        return
    with zipfile.ZipFile(path) as archive, TemporaryDirectory(dir=folder) as room:
        name = _member(archive, member, path)
        copy = Path(room) / file_name(PurePosixPath(name).name)
        with archive.open(name) as packed, copy.open("wb") as plain:
            copyfileobj(packed, plain, 2**20)
        check_h5ad(copy, f"{name} of {path}")
        yield copy


def _member(archive: zipfile.ZipFile, member: str | None, path: Path) -> str:
    # Archives made on a Mac have a shadow of each file.
    names = [n for n in archive.namelist() if n.endswith(".h5ad") and "__MACOSX" not in n]
    wanted = names if member is None else [name for name in names if name == member]
    if len(wanted) != 1:
        has = ", ".join(map(repr, names)) or "none"
        reason = "name one by member=" if member is None else f"not {member!r}"
        raise ValueError(f"The h5ad files in {path} are: {has}; {reason}.")
    return wanted[0]


def _check_kind(path: Path, name: str) -> None:
    """Refuse what is neither zip nor h5ad, such as a web page sent in its place."""
    if not zipfile.is_zipfile(path):
        check_h5ad(path, name)


def _digest(checksum: Any) -> str:
    algorithm, _, digits = str(checksum).partition(":")
    if algorithm != "md5" or not digits:
        raise ValueError(f"checksum {checksum!r}")
    return f"md5:{digits}"
