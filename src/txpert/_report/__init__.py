"""One report of a screen and a model, as a file: ``tx.report``."""

from ._report import report

__all__ = ["report"]
