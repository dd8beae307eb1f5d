"""Opening the text files of databases, with errors that name the file."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import pandas as pd

from txpert._files import FilePath
from txpert._options import check_path

# Quotes and "NA" are plain text in the files of the databases.
PLAIN: Any = {"sep": "\t", "dtype": str, "keep_default_na": False, "quoting": csv.QUOTE_NONE}


@contextmanager
def open_bytes(path: FilePath, *, member: str = "") -> Iterator[IO[bytes]]:
    """Open a plain, gzip or zip file to read its content, whatever its name ends in.

    A byte order mark, which Windows writes first, is skipped.

    Parameters
    ----------
    path
        Where the file is.
    member
        What the name of the file inside a zip archive of several must contain.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file ends early, is damaged, or is not the text that its reader expects.
    """
    check_path("path", path)
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        with path.open("rb") as file, _plain(file, path, member) as content:
            if content.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
                content.seek(0)
            yield content
    except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path} is cut off or damaged ({error}); delete it and fetch it again."
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file ({error}).") from error
    except pd.errors.ParserError as error:
        # pandas swallows the reader's own error: find out whether the file is whole.
        check_whole(path)
        raise ValueError(f"{path} is not the table expected: {error}.") from error


@contextmanager
def open_text(path: FilePath, *, member: str = "") -> Iterator[IO[str]]:
    """Open a file like :func:`open_bytes`, as text."""
    with open_bytes(path, member=member) as content:
        yield io.TextIOWrapper(content, encoding="utf-8")


def check_whole(path: FilePath, name: str | None = None) -> None:
    """Read a gzip or zip file to its end, which finds out whether it is whole.

    Parameters
    ----------
    path
        The file.
    name
        What messages call it; by default its path.

    Raises
    ------
    ValueError
        If it is not.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as archive:
                    damaged = archive.testzip()
                if damaged:
                    raise zipfile.BadZipFile(f"{damaged} in it")
                return
            file.seek(0)
            with _plain(file, path, "") as content:
                while content.read(2**20):
                    pass
    except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{name or path} is cut off or damaged ({error}); delete it and fetch it again."
        ) from error


def check_data(path: FilePath, name: str) -> None:
    """Refuse an empty file, and a web page or message where a server sent that in its place.

    Raises
    ------
    ValueError
        If it is one.
    """
    path = Path(path)
    with path.open("rb") as file:
        if zipfile.is_zipfile(file):
            return
        file.seek(0)
        start = _plain(file, path, "").read(4_096).lstrip(b"\xef\xbb\xbf \t\r\n\0")
    if not start:
        raise ValueError(f"{name} is empty: fetch it again, or from another address.")
    if start.startswith((b"<", b"{")):
        raise ValueError(
            f"{name} is a web page or a server's message, not data ({_excerpt(start)!r}): open "
            "the address in a browser to see what it asks for."
        )


def _excerpt(start: bytes) -> str:
    return " ".join(start[:80].decode(errors="replace").split())


def _plain(file: IO[bytes], path: Path, member: str) -> IO[bytes]:
    magic = file.read(4)
    file.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    if magic == b"PK\x03\x04":
        archive = zipfile.ZipFile(file)
        names = [name for name in archive.namelist() if member in name and name[-1] != "/"]
        if len(names) != 1:
            raise ValueError(
                f"{path} holds {len(archive.namelist())} files, of which {len(names)} have "
                f"{member!r} in their name; unpack the one to read."
            )
        return archive.open(names[0])
    return file


def read_table(path: FilePath, text: Iterable[str]) -> pd.DataFrame:
    """Read a table with a header, separated by commas in ``.csv`` and tabs elsewhere.

    Only an empty field is missing: ``NA`` and ``NAN`` may be gene names.

    Parameters
    ----------
    path
        The file.
    text
        Columns to read as they are written, such as gene names, which may look like numbers.
    """
    separator = "," if ".csv" in Path(path).suffixes else "\t"
    with open_bytes(path) as content:
        try:
            return pd.read_csv(
                content,
                sep=separator,
                dtype=dict.fromkeys(text, str),
                keep_default_na=False,
                na_values=[""],
            )
        except pd.errors.EmptyDataError as error:
            raise ValueError(f"{path} is empty.") from error
