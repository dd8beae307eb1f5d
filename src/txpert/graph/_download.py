"""Files that databases publish: fetched once, checked, and kept in a cache."""

from __future__ import annotations

from pathlib import Path

from txpert._download import cached, name_of_address
from txpert._files import FilePath

from ._files import check_data, check_whole
from ._sources import source_files


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

    Examples
    --------
    >>> import txpert as tx
    >>> path = tx.graph.fetch("string_links")  # doctest: +SKIP
    """
    files = source_files()
    if source not in files:
        raise KeyError(f"There is no source {source!r}; there are {', '.join(sorted(files))}.")
    known = files[source]
    address = url or known.url
    listed = address == known.url
    return cached(
        address,
        known.filename if listed else name_of_address(address, known.filename),
        cache_dir=cache_dir,
        digest=sha256 or (known.sha256 if listed else ""),
        check=_check,
    )


def _check(path: Path, name: str) -> None:
    """Refuse a file that is cut off or no data."""
    check_whole(path, name)
    check_data(path, name)
