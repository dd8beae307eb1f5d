"""Opening the text files of databases, with errors that name the file."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO

import pandas as pd


@contextmanager
def open_text(path: str | PathLike[str]) -> Iterator[IO[str]]:
    """Open a plain, gzip or one-member zip file as text, whatever its name ends in.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file breaks off early or is damaged, or is not text.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        with path.open("rb") as file, _plain(file, path) as text:
            yield text
    except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path} is cut off or damaged ({error}); delete it and fetch it again."
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file ({error}).") from error


def _plain(file: IO[bytes], path: Path) -> IO[str]:
    magic = file.read(4)
    file.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return gzip.open(file, "rt", encoding="utf-8")
    if magic == b"PK\x03\x04":
        archive = zipfile.ZipFile(file)
        members = [member for member in archive.namelist() if not member.endswith("/")]
        if len(members) != 1:
            raise ValueError(f"{path} holds {len(members)} files, not one; unpack it first.")
        return io.TextIOWrapper(archive.open(members[0]), encoding="utf-8")
    return io.TextIOWrapper(file, encoding="utf-8")


def read_table(path: str | PathLike[str]) -> pd.DataFrame:
    """Read a table with a header, separated by commas in ``.csv`` and tabs elsewhere.

    Only an empty field is missing: ``NA`` and ``NAN`` may be gene names.
    """
    separator = "," if ".csv" in Path(path).suffixes else "\t"
    with open_text(path) as text:
        try:
            return pd.read_csv(text, sep=separator, keep_default_na=False, na_values=[""])
        except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise ValueError(f"{path} is not a table: {error}.") from error
