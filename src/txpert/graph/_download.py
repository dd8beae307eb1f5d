"""Downloads of the databases' files, kept in a cache."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ._files import FilePath, check_whole
from ._sources import source_files


def fetch(source: str, *, cache_dir: FilePath | None = None, url: str | None = None) -> Path:
    """Download a database's file once and return where it lies.

    The file's SHA-256 is kept with it and compared at every later use. An interrupted download
    leaves nothing in the cache.

    Parameters
    ----------
    source
        A name from :func:`show`, ``show("files")``.
    cache_dir
        Folder to keep files in. By default the environment variable ``TXPERT_CACHE``, else the
        user's cache folder.
    url
        Another address of the same file, such as a mirror or an older release; it is kept under a
        name of its own.

    Raises
    ------
    KeyError
        If there is no such source.
    ConnectionError
        If the file can't be fetched; the message says where to put it by hand.
    ValueError
        If the file is cut off, or is no longer the one downloaded first.
    """
    import pooch

    files = source_files()
    if source not in files:
        raise KeyError(f"There is no source {source!r}; there are {', '.join(sorted(files))}.")
    known = files[source]
    folder = Path(cache_dir or os.environ.get("TXPERT_CACHE") or pooch.os_cache("txpert"))
    address = url or known.url
    path = folder / (address.rpartition("/")[2] or known.filename)
    if _address(path) not in (None, address):  # releases often share a file name
        path = folder / hashlib.sha256(address.encode()).hexdigest()[:12] / path.name
    if not path.exists():
        _download(address, path)
    return _verified(path, address)


def _note(path: Path) -> Path:
    """Return the file that keeps a download's hash and address."""
    return path.with_name(path.name + ".sha256")


def _address(path: Path) -> str | None:
    """Return the address that a file in the cache is from, where it is known."""
    noted = _note(path).read_text().split() if _note(path).exists() else []
    return noted[1] if len(noted) > 1 else None


def _download(address: str, path: Path) -> None:
    import pooch
    import requests

    try:
        pooch.retrieve(
            address,
            known_hash=None,
            fname=path.name,
            path=path.parent,
            downloader=pooch.HTTPDownloader(progressbar=True, timeout=60),
        )
    except (requests.RequestException, OSError) as error:
        raise ConnectionError(
            f"{address} could not be fetched ({error}). Where there is a network, download it by "
            f"hand and put it at {path}, or give the reader the path of your copy."
        ) from error


def _verified(path: Path, address: str) -> Path:
    """Compare a file with its hash, or note the hash of a new one once it is found whole."""
    import pooch

    note = _note(path)
    digest = pooch.file_hash(str(path))
    if note.exists():
        if note.read_text().split()[:1] != [digest]:
            raise ValueError(
                f"{path} has changed since it was downloaded; delete it and {note.name} to fetch "
                "it again."
            )
        return path
    try:
        check_whole(path)
    except ValueError:
        path.unlink()
        raise
    note.write_text(f"{digest}\n{address}\n")
    return path
