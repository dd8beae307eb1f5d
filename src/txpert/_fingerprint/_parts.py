"""What hashed values are made of, besides values: bytes, and values whose order does not count."""

from __future__ import annotations

from typing import Any


class Raw(bytes):
    """Bytes that count as they are."""


class Unordered(list[object]):
    """Values whose order does not count."""


def module_of(value: Any) -> str:
    """Return the name of the module of a class or function; empty where it has none."""
    module = getattr(value, "__module__", None)
    return module if isinstance(module, str) else ""


class NotHashable(TypeError):
    """What is hashed holds something without content of its own, such as a generator."""
