"""Opening public screens: downloaded once, converted once, and read from the cache."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
from anndata import AnnData

from txpert._download import cache_folder, cached
from txpert._files import FilePath, locked, sha256_of

from ._conversion import FORMAT, check_h5ad, convert
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
    own = None if path is None else Path(path)
    if own is not None:
        if not own.is_file():
            raise FileNotFoundError(f"There is no file {own}.")
        check_h5ad(own, str(own))
    folder = cache_folder(cache_dir)
    version = (FORMAT, screen.layout, screen.about(), own and _state(own))
    key = sha256_of(repr(version).encode())[:12]
    target = folder / f"{screen.file.removesuffix('.h5ad')}-{key}.h5ad"
    if not target.exists():
        source = own or _downloaded(screen, folder)
        with locked(folder):
            if not target.exists():
                convert(source, target, screen.layout, screen.about())
    if backed:
        return ad.read_h5ad(target, backed="r")
    adata = ad.read_h5ad(target)
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
