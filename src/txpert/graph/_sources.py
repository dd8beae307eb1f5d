"""The registry of graph sources: what each database holds, and the files that it publishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from typing import Any, Literal, TypeVar

import pandas as pd

from txpert._registry import add_entry


@dataclass(frozen=True)
class SourceFile:
    """A file that a database publishes.

    Parameters
    ----------
    url
        Its address.
    release
        Release that the address leads to.
    size
        Size of the download.
    sha256
        Digest of a release that never changes; empty where none is known.

    Notes
    -----
    A digest follows from nothing but the file itself, and a wrong one would refuse a good file: it
    stands here only if it was computed from the file or is published with it. Without one,
    :func:`fetch` keeps the digest of the first download and compares with that.
    """

    url: str
    release: str
    size: str
    sha256: str = ""

    @property
    def filename(self) -> str:
        """Name of the file in the cache."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Source:
    """A database and the function that makes a graph of it.

    Parameters
    ----------
    builder
        The function.
    what
        What an edge means, in one line.
    license
        License of the data.
    download
        Whether data are downloaded, by :func:`fetch` or by hand, or packaged.
    reference
        Publication, as a DOI.
    files
        Files that :func:`fetch` knows, by name.
    """

    builder: Callable[..., Any]
    what: str
    license: str
    download: str
    reference: str
    files: Mapping[str, SourceFile] = field(default_factory=dict)


SOURCES: dict[str, Source] = {}
"""Databases by the name of the function that makes a graph of them."""

Builder = TypeVar("Builder", bound=Callable[..., Any])


def register_source(
    *,
    what: str,
    license: str,
    download: str,
    reference: str,
    files: Mapping[str, SourceFile] | None = None,
) -> Callable[[Builder], Builder]:
    """List a function among the graph sources, under its own name.

    Parameters
    ----------
    what
        What an edge means, in one line.
    license
        License of the data.
    download
        Whether data are downloaded, by :func:`fetch` or by hand, or packaged.
    reference
        Publication, as a DOI.
    files
        Files that :func:`fetch` knows, by name; none by default.

    Returns
    -------
    A decorator that returns the function as it is.

    Raises
    ------
    ValueError
        If another function of that name is listed.

    Examples
    --------
    >>> import pandas as pd
    >>> import txpert as tx
    >>> @tx.graph.register_source(
    ...     what="Subunits of one complex",
    ...     license="CC0",
    ...     download="by hand",
    ...     reference="none",
    ... )
    ... def complexes(table, *, name="complexes"):
    ...     pairs = table.merge(table, on="complex", suffixes=("_source", "_target"))
    ...     return tx.graph.KnowledgeGraph.from_edges(
    ...         pairs, name=name, source="gene_source", target="gene_target"
    ...     )
    >>> tx.graph.show().loc["complexes", "what"]
    'Subunits of one complex'
    >>> genes = ["MED1", "MED12", "MED13", "CCNC", "CDK8"]
    >>> complexes(pd.DataFrame({"complex": ["core", *["kinase"] * 4], "gene": genes}))
    KnowledgeGraph 'complexes': 5 nodes, 12 edges
    """

    def register(builder: Builder) -> Builder:
        source = Source(builder, what, license, download, reference, files or {})
        of = attrgetter("builder")
        add_entry(SOURCES, builder.__name__, source, kind="source of graphs", definition=of)
        return builder

    return register


def source_files() -> dict[str, SourceFile]:
    """Return the files that :func:`fetch` knows, by name."""
    return {name: file for source in SOURCES.values() for name, file in source.files.items()}


def show(what: Literal["sources", "files"] = "sources") -> pd.DataFrame:
    """List the databases that graphs are made from, or the files that :func:`fetch` knows.

    Parameters
    ----------
    what
        ``"sources"`` or ``"files"``.

    Returns
    -------
    Sources: one row per function of ``txpert.graph``, with what an edge means, the license,
    how the data get here, and the reference. Files: one row per name, with address, release,
    size, the name in the cache, and the source.

    Raises
    ------
    ValueError
        If ``what`` is neither.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.graph.show().loc["go", "download"]
    'packaged (September 2022)'
    """
    if what == "sources":
        rows = [
            {
                "what": s.what,
                "license": s.license,
                "download": s.download,
                "reference": s.reference,
            }
            for s in SOURCES.values()
        ]
        return pd.DataFrame(rows, index=pd.Index(SOURCES, name="name")).sort_index()
    if what != "files":
        raise ValueError(f"what must be 'sources' or 'files', not {what!r}.")
    origin = {name: source for source, entry in SOURCES.items() for name in entry.files}
    files = source_files()
    rows = [
        {**asdict(file), "filename": file.filename, "source": origin[name]}
        for name, file in files.items()
    ]
    return pd.DataFrame(rows, index=pd.Index(files, name="name")).sort_index()
