"""What hashed values are made of, beside values: bytes, and values whose order does not count."""

from __future__ import annotations


class Raw(bytes):
    """Bytes that count as they are."""


class Unordered(list[object]):
    """Values whose order does not count."""


class NotHashable(TypeError):
    """What is hashed holds something without content of its own, such as a generator."""
