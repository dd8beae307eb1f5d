"""Files that databases publish: fetched once, checked, and kept in a cache."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from txpert._files import FilePath, file_name, file_sha256, locked, replacing, sha256_of

from ._files import check_data, check_whole
from ._sources import SourceFile, source_files
from ._transfer import transfer


def fetch(
    source: str,
    *,
    cache_dir: FilePath | None = None,
    url: str | None = None,
    sha256: str | None = None,
) -> Path:
    """Download a database's file once and return where it lies.

    The file's SHA-256 is kept next to it and compared at every later use. A download that is
    interrupted, or brings a web page or nothing, leaves nothing in the cache. Of several
    processes that ask for one file, one fetches it and the others wait.

    Parameters
    ----------
    source
        A name from :func:`show`, ``show("files")``.
    cache_dir
        Folder to keep files in. By default the environment variable ``TXPERT_CACHE``, else the
        user's cache folder.
    url
        Another address of the same file, such as a mirror or an older release. Each address has a
        name of its own in the cache.
    sha256
        Digest that the file must have, in hexadecimal digits, where its release is published with
        one. By default the one that :func:`show` lists, if any.

    Raises
    ------
    KeyError
        If there is no such source.
    ConnectionError
        If the file can't be fetched; the message says where to put it by hand.
    OSError
        If it can't be written to the cache.
    ValueError
        If the file is cut off, is no data, has another digest, or is no longer the one downloaded
        first.
    """
    import pooch

    files = source_files()
    if source not in files:
        raise KeyError(f"There is no source {source!r}; there are {', '.join(sorted(files))}.")
    known = files[source]
    folder = Path(cache_dir or os.environ.get("TXPERT_CACHE") or pooch.os_cache("txpert"))
    address = url or known.url
    wanted = sha256 or (known.sha256 if address == known.url else "")
    path = folder / _cached_name(known, address)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise type(error)(
            f"The cache folder {folder} cannot be made ({error.strerror}); give another one by "
            "cache_dir= or the environment variable TXPERT_CACHE."
        ) from error
    with locked(folder):
        if not path.exists():
            _download(address, path, wanted)
        return _verified(path, wanted)


def _cached_name(known: SourceFile, address: str) -> str:
    """Return the file's own name at the address listed, and a name of its own elsewhere."""
    if address == known.url:
        return known.filename
    name = file_name(unquote(PurePosixPath(urlsplit(address).path).name) or known.filename)
    return f"{sha256_of(address.encode())[:12]}-{name}"


def _download(address: str, path: Path, wanted: str) -> None:
    with replacing(path) as part:
        transfer(address, part, path)
        _check(part, address, wanted)


def _check(path: Path, name: str, wanted: str) -> None:
    """Refuse a file that is cut off, no data or not the one wanted."""
    check_whole(path, name)
    check_data(path, name)
    digest = file_sha256(path)
    if wanted and digest != wanted.lower():
        raise ValueError(
            f"{name} has the SHA-256 {digest}, not {wanted.lower()}: it is damaged or of another "
            "release."
        )


def _verified(path: Path, wanted: str) -> Path:
    """Compare a file with its digest; one that was put there by hand is checked first."""
    kept = _note(path)
    if not kept.exists():
        _check(path, str(path), wanted)
        # Files in a folder that may only be read stay without a note.
        with contextlib.suppress(OSError), replacing(kept) as part:
            part.write_text(file_sha256(path) + "\n")
        return path
    digest = file_sha256(path)
    if kept.read_text().strip() != digest or (wanted and digest != wanted.lower()):
        raise ValueError(
            f"{path} has changed since it was downloaded, or is of another release than asked "
            f"for; delete it and {kept.name} to fetch it again."
        )
    return path


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")
