"""Tables of the encoders and decoders that a model can be built with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd

from ._decoder import DECODERS
from ._entries import Entry
from ._registry import ENCODERS


def show(what: Literal["encoders", "decoders"] = "encoders") -> pd.DataFrame:
    """List the perturbation encoders, or the decoders, that a model can be built with.

    Parameters
    ----------
    what
        ``"encoders"`` (``TxPertModel(encoder=...)``) or ``"decoders"`` (``decoding=...``).

    Returns
    -------
    One row per name: ``class``, ``reference`` and ``description``; for encoders also
    ``multi_graph``, whether they tell their graphs apart, and for decoders ``reads_controls``.

    Raises
    ------
    ValueError
        If ``what`` is neither.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.nn.show().loc["gat", "description"]
    'Graph attention (GATv2) over the union of the graphs'
    """
    if what not in ("encoders", "decoders"):
        raise ValueError(f"what must be 'encoders' or 'decoders', not {what!r}.")
    if what == "encoders":
        return _table(ENCODERS, "multi_graph", [e.multi_graph for e in ENCODERS.values()])
    reads = [entry.cls.reads_controls for entry in DECODERS.values()]
    return _table(DECODERS, "reads_controls", reads)


def _table(registry: Mapping[str, Entry[Any]], flag: str, flags: list[bool]) -> pd.DataFrame:
    entries = registry.values()
    columns = {
        "class": [entry.cls.__name__ for entry in entries],
        flag: flags,
        "reference": [entry.reference for entry in entries],
        "description": [entry.description for entry in entries],
    }
    return pd.DataFrame(columns, index=pd.Index(registry, name="name")).sort_index()
