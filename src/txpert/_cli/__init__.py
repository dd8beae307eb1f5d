"""The command line, thin over the Python API: ``txpert`` and ``python -m txpert``."""

from ._main import main

__all__ = ["main"]
