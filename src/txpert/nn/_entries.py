"""Rows of the registries of encoders and decoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Built = TypeVar("Built")


@dataclass(frozen=True)
class Entry(Generic[Built]):
    """What a name in a registry stands for.

    Parameters
    ----------
    cls
        The class.
    description
        What it is, in one line.
    reference
        Publication, as a DOI or an arXiv number; empty where there is none.
    multi_graph
        Whether an encoder tells its graphs apart; others take their union.
    options
        Keyword arguments that the name stands for, where it is a preset of the class.
    """

    cls: type[Built]
    description: str
    reference: str = ""
    multi_graph: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
