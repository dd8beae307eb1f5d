"""Hashes of data, functions and objects by content, by which stored results are known again."""

from ._hash import NotHashable, fingerprint

__all__ = ["NotHashable", "fingerprint"]
