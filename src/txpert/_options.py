"""Whether an option is of the type and range that it must be, before anything is done with it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np


def check_whole(name: str, value: Any, *, least: int, optional: bool = False) -> None:
    """Raise a ValueError if an option is no whole number or too small.

    Parameters
    ----------
    name
        Name of the option, for the message.
    value
        Its value.
    least
        The smallest allowed.
    optional
        Whether ``None`` is allowed.
    """
    if optional and value is None:
        return
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}.")


def check_seed(seed: Any, name: str = "seed") -> None:
    """Raise a ValueError if a seed is no whole number of at least 0."""
    check_whole(name, seed, least=0)


def check_number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
    finite: bool = True,
    optional: bool = False,
) -> None:
    """Raise a ValueError if an option is no finite number within limits.

    Parameters
    ----------
    name, value, optional
        As in :func:`check_whole`.
    above
        It must be larger.
    least, most
        It must not be smaller or larger.
    finite
        Whether infinity is refused.
    """
    if optional and value is None:
        return
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if (
        not number
        or np.isnan(value)
        or (finite and np.isinf(value))
        or (above is not None and value <= above)
        or (least is not None and value < least)
        or (most is not None and value > most)
    ):
        limits = [
            f"{word} {limit:g}"
            for word, limit in (("above", above), ("of at least", least), ("of at most", most))
            if limit is not None
        ]
        if least is not None and most is not None:
            raise ValueError(f"{name} must lie between {least:g} and {most:g}, not {value!r}.")
        range_ = "".join(f" {limit}" for limit in [" and ".join(limits)] if limits)
        kind = "a finite number" if finite else "a number"
        raise ValueError(f"{name} must be {kind}{range_}, not {value!r}.")


def check_flag(name: str, value: Any) -> None:
    """Raise a ValueError if an option is neither True nor False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, not {value!r}.")


def check_name(name: str, value: Any) -> None:
    """Raise a ValueError if an option is no text, empty, or no key that h5ad keeps."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be a name, such as {name.split('_')[0]!r}, not {value!r}.")
    if "/" in value:
        raise ValueError(f"{name}={value!r} has a '/', which h5ad files take for a folder.")


def check_choice(name: str, value: Any, known: Collection[Any]) -> None:
    """Raise a ValueError if an option is none of those known."""
    if not isinstance(value, str | None) or value not in known:
        shown = ", ".join(map(repr, known))
        raise ValueError(f"{name} must be one of {shown}, not {value!r}.")


def check_names(name: str, value: Any) -> list[Any]:
    """Return several names as a list; raise a ValueError if it is text or no collection."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        remedy = f"; write [{value!r}]" if isinstance(value, str) else ""
        raise ValueError(f"{name} must be a list of names, not {value!r}{remedy}.")
    return list(value)


def check_path(name: str, value: Any) -> None:
    """Raise a TypeError if an option is no path."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} must be a path, not {value!r}.")
