"""What may come of a call: the same result, a warning, or one clear error."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

import txpert as tx

SOURCE = Path(tx.__file__).parent


@dataclass(frozen=True)
class Works:
    """The call returns: what clean input gives if ``same``, with a warning if one is named."""

    same: bool = True
    warns: str | None = None


@dataclass(frozen=True)
class Refused:
    """The call raises one error of ours whose message matches."""

    message: str


Expected = Works | Refused
SAME, RUNS = Works(), Works(same=False)


def outcome(call: Callable[[], Any]) -> tuple[Any, BaseException | None, list[str]]:
    """Return what a call returns or raises, and the warnings on the way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result, error = call(), None
        except Exception as raised:
            result, error = None, raised
    return result, error, [str(warning.message) for warning in caught]


def assert_refused(error: BaseException | None, message: str) -> None:
    """Check that an error is ours, of a kind that users expect, and says what is wrong."""
    assert error is not None, "it passed without an error"
    where = _raised_in(error)
    told = f"{type(error).__name__}: {error} (raised in {where})"
    assert isinstance(error, (ValueError, KeyError, TypeError, OSError)), told
    assert Path(where).is_relative_to(SOURCE), f"a message from inside a library: {told}"
    text = str(error.args[0]) if error.args else ""
    assert re.search(message, text, re.DOTALL), f"not {message!r} but {told}"


def _raised_in(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else trace.tb_frame.f_code.co_filename


def assert_equal(found: Any, clean: Any) -> None:
    """Check that two results are the same, whatever the order of their labels."""
    if clean is None:
        assert found is None
    elif isinstance(clean, pd.DataFrame | pd.Series):
        found = found.reindex(clean.index)
        if isinstance(clean, pd.DataFrame):
            found = found[list(clean)]
        for name in clean if isinstance(clean, pd.DataFrame) else [None]:
            ours = clean if name is None else clean[name]
            theirs = found if name is None else found[name]
            if pd.api.types.is_float_dtype(ours):
                np.testing.assert_allclose(theirs.to_numpy(float), ours, rtol=2e-3, atol=2e-3)
            else:
                assert [*map(str, theirs)] == [*map(str, ours)]
    else:
        np.testing.assert_allclose(found, clean, rtol=2e-3, atol=2e-3)


def contents(data: AnnData) -> dict[str, str]:
    """Return a hash of each thing that an AnnData holds, by name."""
    parts: dict[str, Any] = {"X": data.X, "obs_names": data.obs.index, "var_names": data.var.index}
    parts |= {f"layers:{name}": data.layers[name] for name in data.layers if name is not None}
    parts |= {
        f"uns:{name}": list(value) if isinstance(value, dict) else value
        for name, value in data.uns.items()
    }
    for place in ("obsm", "varm"):
        parts |= {f"{place}:{name}": value for name, value in getattr(data, place).items()}
    for place in ("obs", "var"):
        frame = getattr(data, place)
        parts[f"names of {place}"] = [frame.index.name]
        for number, name in enumerate(frame.columns):
            parts[f"{place}:{name}"] = frame.iloc[:, number]
    return {name: _hash(part) for name, part in parts.items()}


def _hash(part: Any) -> str:
    if sparse.issparse(part):
        arrays = [getattr(part, name, ()) for name in ("data", "indices", "indptr")]
    else:
        arrays = [part]
    found = hashlib.sha256(f"{type(part).__name__} {getattr(part, 'dtype', '')}".encode())
    for array in arrays:
        plain = np.asarray(array)
        found.update(plain.tobytes() if plain.dtype != object else repr(plain.tolist()).encode())
    return found.hexdigest()


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Return what was changed, added or removed."""
    return {name for name in before | after if before.get(name) != after.get(name)}
