from __future__ import annotations

import os
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import pandas as pd

from ._files import FilePath, check_whole


@dataclass(frozen=True)
class Source:
    """A file that a database publishes."""

    url: str
    release: str
    size: str
    licence: str
    reader: str

    @property
    def filename(self) -> str:
        """Name of the file in the cache."""
        return self.url.rpartition("/")[2]


_STRING = "https://stringdb-downloads.org/download"
_HUMAN = "v12.0/9606.protein"
_REACTOME = "https://reactome.org/download/current"
_SOURCES = {
    "string_links": Source(
        f"{_STRING}/protein.links.{_HUMAN}.links.v12.0.txt.gz",
        "12.0",
        "80 MB",
        "CC BY 4.0",
        "string",
    ),
    "string_links_detailed": Source(
        f"{_STRING}/protein.links.detailed.{_HUMAN}.links.detailed.v12.0.txt.gz",
        "12.0",
        "130 MB",
        "CC BY 4.0",
        "string",
    ),
    "string_info": Source(
        f"{_STRING}/protein.info.{_HUMAN}.info.v12.0.txt.gz", "12.0", "2 MB", "CC BY 4.0", "string"
    ),
    "go_annotations": Source(
        "https://current.geneontology.org/annotations/goa_human.gaf.gz",
        "current",
        "15 MB",
        "CC BY 4.0",
        "go",
    ),
    "go_ontology": Source(
        "https://purl.obolibrary.org/obo/go/go-basic.obo", "current", "31 MB", "CC BY 4.0", "go"
    ),
    "reactome": Source(
        f"{_REACTOME}/ReactomePathways.gmt.zip", "current", "0.3 MB", "CC0", "reactome"
    ),
    "reactome_ncbi": Source(
        f"{_REACTOME}/NCBI2Reactome.txt", "current", "50 MB", "CC0", "reactome"
    ),
    "biogrid": Source(
        "https://downloads.thebiogrid.org/Download/BioGRID/Latest-Release/"
        "BIOGRID-ORGANISM-LATEST.tab3.zip",
        "latest",
        "180 MB",
        "MIT",
        "biogrid",
    ),
    "intact": Source(
        "https://ftp.ebi.ac.uk/pub/databases/intact/current/psimitab/species/human.zip",
        "current",
        "400 MB",
        "CC BY 4.0",
        "intact",
    ),
}


def sources() -> pd.DataFrame:
    """List the files that :func:`fetch` knows: address, release, size, licence and reader."""
    table = pd.DataFrame(
        [astuple(source) for source in _SOURCES.values()],
        columns=[field.name for field in fields(Source)],
        index=pd.Index(_SOURCES, name="source"),
    )
    return table.assign(filename=[source.filename for source in _SOURCES.values()])


def fetch(source: str, *, cache_dir: FilePath | None = None, url: str | None = None) -> Path:
    """Download a database's file once and return where it lies.

    The file's SHA-256 is kept beside it and compared at every later use. A download that breaks
    off leaves nothing in the cache.

    Parameters
    ----------
    source
        A name from :func:`sources`.
    cache_dir
        Folder to keep files in. By default the environment variable ``TXPERT_CACHE``, else the
        user's cache folder.
    url
        Another address of the same file, such as a mirror or an older release.

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

    if source not in _SOURCES:
        raise KeyError(f"There is no source {source!r}; there are {', '.join(_SOURCES)}.")
    known = _SOURCES[source]
    folder = Path(cache_dir or os.environ.get("TXPERT_CACHE") or pooch.os_cache("txpert"))
    address = url or known.url
    path = folder / (address.rpartition("/")[2] or known.filename)
    if not path.exists():
        _download(address, path)
    return _verified(path)


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


def _verified(path: Path) -> Path:
    """Compare a file with its hash, or note the hash of a new one once it is found whole."""
    import pooch

    kept = path.with_name(path.name + ".sha256")
    digest = pooch.file_hash(str(path))
    if kept.exists():
        if kept.read_text().strip() != digest:
            raise ValueError(
                f"{path} has changed since it was downloaded; delete it and {kept.name} to fetch "
                "it again."
            )
        return path
    try:
        check_whole(path)
    except ValueError:
        path.unlink()
        raise
    kept.write_text(digest + "\n")
    return path
