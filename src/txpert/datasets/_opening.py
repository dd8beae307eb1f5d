"""Opening public screens: downloaded once, converted once, and read from the cache."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import anndata as ad
from anndata import AnnData

from txpert._download import cache_folder, cached
from txpert._files import FilePath, locked, sha256_of

from ._conversion import FORMAT, check_h5ad, convert
from ._layout import Layout
from ._public import Screen


def load(
    screen: Screen, path: FilePath | None, cache_dir: FilePath | None, backed: bool
) -> AnnData:
    """Read the converted file; make it first if there is none of this layout and format.

    Parameters
    ----------
    screen
        What is published where, and in which layout.
    path, cache_dir, backed
        As in :func:`txpert.datasets.norman_2019`.

    Raises
    ------
    FileNotFoundError
        If there is no file at ``path``.
    ConnectionError
        If the file can't be downloaded; the message names the address and where to put it.
    KeyError, ValueError
        If the file is damaged, is no h5ad, or is not in the layout published.
    """
    own = own_copy(path)
    if own is not None:
        check_h5ad(own, str(own))
    folder = cache_folder(cache_dir)
    return read_converted(
        folder,
        screen.file.removesuffix(".h5ad"),
        screen.layout,
        screen.about(),
        own,
        lambda: nullcontext(own or _downloaded(screen, folder)),
        backed,
    )


def own_copy(path: FilePath | None) -> Path | None:
    """Return the path of a file that the user has, if any.

    Raises
    ------
    FileNotFoundError
        If there is none at it.
    """
    own = None if path is None else Path(path)
    if own is not None and not own.is_file():
        raise FileNotFoundError(f"There is no file {own}.")
    return own


def read_converted(
    folder: Path,
    stem: str,
    layout: Layout,
    about: dict[str, str],
    own: Path | None,
    published: Callable[[], AbstractContextManager[Path]],
    backed: bool,
) -> AnnData:
    """Read the converted file, and make it of the published one if there is none.

    Parameters
    ----------
    folder
        The cache.
    stem
        Of the converted file's name.
    layout, about
        As in :func:`convert`.
    own
        The user's copy of what is published, if any; another copy is converted again.
    published
        Gets the published h5ad file; called if it is needed.
    backed
        Leave values on disk.
    """
    version = (FORMAT, layout, about, own and _state(own))
    target = folder / f"{stem}-{sha256_of(repr(version).encode())[:12]}.h5ad"
    if not target.exists():
        with published() as source, locked(folder):
            if not target.exists():
                convert(source, target, layout, about)
    if backed:
        return ad.read_h5ad(target, backed="r")
    adata = ad.read_h5ad(target)
    if layout.counts:
        adata.layers["counts"] = adata.X
    return adata


def _state(path: Path) -> tuple[str, int, int]:
    """Return what changes with a file."""
    status = path.stat()
    return str(path.resolve()), status.st_size, status.st_mtime_ns


def _downloaded(screen: Screen, folder: Path) -> Path:
    digest = f"md5:{screen.md5}" if screen.md5 else ""
    try:
        return cached(
            screen.address, screen.file, cache_dir=folder, digest=digest, check=check_h5ad
        )
    except ConnectionError as error:
        call = screen.call.removesuffix(")").removesuffix("(")
        join = "(" if "(" not in call else ", "
        raise ConnectionError(
            f"{error} Here: tx.datasets.{call}{join}path='.../{screen.file}')"
        ) from error
