"""Getting a file over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from tqdm.auto import tqdm

if TYPE_CHECKING:
    import requests

_TIMEOUT = 60
_BLOCK = 2**20
_MOST_REDIRECTS = 20


def transfer(address: str, part: Path, path: Path) -> None:
    """Write what is at an address into a file, with a progress bar.

    Parameters
    ----------
    address
        ``http`` or ``https``; the latter is not left on a redirect.
    part
        The file to write.
    path
        Where the file will be kept, for messages.

    Raises
    ------
    ConnectionError
        If the file can't be fetched whole; the message says where to put it by hand.
    OSError
        If it can't be written.
    """
    import requests

    try:
        with requests.Session() as session:
            response = _answer(session, address)
            with response, part.open("wb") as file:
                _receive(response, file.write, path.name)
    except (requests.RequestException, ConnectionError) as error:
        raise ConnectionError(
            f"{address} could not be fetched ({error}). Where there is a network, download it by "
            f"hand and put it at {path}, or give the reader the path of your copy."
        ) from error


def _answer(session: requests.Session, address: str) -> requests.Response:
    """Ask and follow redirects, but none from https to anything else."""
    for _ in range(_MOST_REDIRECTS):
        response = session.get(address, stream=True, timeout=_TIMEOUT, allow_redirects=False)
        if not response.is_redirect:
            response.raise_for_status()
            return response
        following = urljoin(address, response.headers["location"])
        response.close()
        if urlsplit(address).scheme == "https" and urlsplit(following).scheme != "https":
            raise ConnectionError(f"it leads from https to {following}, which anyone may change")
        address = following
    raise ConnectionError(f"it leads from one address to another, {_MOST_REDIRECTS} times")


def _receive(response: requests.Response, write: Callable[[bytes], object], name: str) -> None:
    length = response.headers.get("Content-Length", "")
    size = int(length) if length.isdigit() else None
    with tqdm(total=size, desc=name, unit="B", unit_scale=True) as progress:
        for block in response.iter_content(_BLOCK):
            write(block)
            progress.update(len(block))
        received = progress.n
    if size is not None and "Content-Encoding" not in response.headers and received < size:
        raise ConnectionError(f"it broke off after {received:,} of {size:,} bytes")


def get_json(address: str) -> Any:
    """Return the JSON document at an address.

    Raises
    ------
    ConnectionError
        If it can't be fetched, or is no JSON; the message names the address and the reason.
    """
    import requests

    try:
        with requests.Session() as session, _answer(session, address) as response:
            return response.json()
    except (requests.RequestException, ConnectionError) as error:
        raise ConnectionError(f"{address} could not be read ({error}).") from error
