"""Published files: fetched once, checked, and kept in a cache."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from txpert._files import FilePath, file_name, file_sha256, locked, replacing, sha256_of
from txpert._transfer import transfer

Check = Callable[[Path, str], None]
"""Refuses what is not the file expected; the second argument is its name in messages."""


def cached(
    address: str,
    name: str,
    *,
    cache_dir: FilePath | None = None,
    digest: str = "",
    check: Check,
) -> Path:
    """Download a file once and return where it lies.

    Its SHA-256 is kept next to it and compared at every later use. A download that is interrupted,
    or that is refused, leaves nothing in the cache. Of several processes that ask for one file,
    one fetches it and the others wait.

    Parameters
    ----------
    address
        Where the file is published.
    name
        Its name in the cache.
    cache_dir
        As in :func:`cache_folder`.
    digest
        Hexadecimal digest that the file must have: SHA-256, or ``"md5:..."``. Empty: not known.
    check
        Looks at a new file before it is kept.

    Raises
    ------
    ConnectionError
        If the file can't be fetched; the message says where to put it by hand.
    OSError
        If it can't be written to the cache.
    ValueError
        If ``check`` refuses the file, or it has another digest or is no longer the one downloaded
        first.
    """
    path = cache_folder(cache_dir) / name
    with locked(path.parent):
        if not path.exists():
            with replacing(path) as part:
                transfer(address, part, path)
                _check(part, address, digest, check)
        return _verified(path, digest, check)


def cache_folder(cache_dir: FilePath | None = None) -> Path:
    """Return the folder that downloads are kept in, and make it if there is none.

    Parameters
    ----------
    cache_dir
        The folder; by default the environment variable ``TXPERT_CACHE``, else the user's cache
        folder.

    Raises
    ------
    OSError
        If it can't be made.
    """
    import pooch

    folder = Path(cache_dir or os.environ.get("TXPERT_CACHE") or pooch.os_cache("txpert"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise type(error)(
            f"The cache folder {folder} cannot be made ({error.strerror}); give another one by "
            "cache_dir= or the environment variable TXPERT_CACHE."
        ) from error
    return folder


def name_of_address(address: str, otherwise: str) -> str:
    """Return a name in the cache that no other address has; ``otherwise`` names what has none."""
    name = file_name(unquote(PurePosixPath(urlsplit(address).path).name) or otherwise)
    return f"{sha256_of(address.encode())[:12]}-{name}"


def _check(path: Path, name: str, digest: str, check: Check) -> None:
    """Refuse a file that is not the one wanted."""
    check(path, name)
    algorithm, found = _digest(path, digest)
    if digest and found != _hexadecimal(digest):
        raise ValueError(
            f"{name} has the {algorithm} {found}, not {_hexadecimal(digest)}: it is damaged or of "
            "another release."
        )


def _verified(path: Path, digest: str, check: Check) -> Path:
    """Compare a file with its digest; one that was put there by hand is checked first."""
    kept = _note(path)
    if not kept.exists():
        _check(path, str(path), digest, check)
        # Files in a folder that may only be read stay without a note.
        with contextlib.suppress(OSError), replacing(kept) as part:
            part.write_text(file_sha256(path) + "\n")
        return path
    same = kept.read_text().strip() == file_sha256(path)
    if not same or (digest and _digest(path, digest)[1] != _hexadecimal(digest)):
        raise ValueError(
            f"{path} has changed since it was downloaded, or is of another release than asked "
            f"for; delete it and {kept.name} to fetch it again."
        )
    return path


def _digest(path: Path, like: str) -> tuple[str, str]:
    """Return the digest of a file by the algorithm of another, and the algorithm's name."""
    if not like.startswith("md5:"):
        return "SHA-256", file_sha256(path)
    with path.open("rb") as file:
        # Zenodo publishes MD5, which finds damage; it is no protection against a forger.
        return "MD5", hashlib.file_digest(
            file, lambda: hashlib.md5(usedforsecurity=False)
        ).hexdigest()


def _hexadecimal(digest: str) -> str:
    return digest.rpartition(":")[2].lower()


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")
