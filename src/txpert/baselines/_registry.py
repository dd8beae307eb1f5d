"""Baselines by name: what each is, what it needs and where it comes from."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd

from txpert._registry import add_entry, table

from ._base import Baseline

B = TypeVar("B", bound=type[Baseline])


@dataclass(frozen=True)
class Entry:
    """A baseline of the registry.

    Attributes
    ----------
    cls
        Its class.
    needs
        What it cannot do without: ``"graphs"``, or nothing.
    reference
        Where it was described.
    """

    cls: type[Baseline]
    needs: str = ""
    reference: str = ""


BASELINES: dict[str, Entry] = {}
"""Every baseline, by the name that :func:`txpert.benchmark` takes."""


def register_baseline(name: str, *, needs: str = "", reference: str = "") -> Callable[[B], B]:
    """Add a baseline to the registry.

    Parameters
    ----------
    name
        By which :func:`txpert.benchmark` and :func:`make_baseline` know it.
    needs
        Argument that must be given, such as ``"graphs"``.
    reference
        Where it was described.

    Raises
    ------
    ValueError
        If another baseline has that name.

    Examples
    --------
    >>> import txpert as tx
    >>> @tx.baselines.register_baseline("half_mean")
    ... class HalfMeanBaseline(tx.baselines.Baseline):
    ...     def _fit(self, table):
    ...         self.effect_ = table.training().delta.mean(axis=0) / 2
    ...
    ...     def _delta(self, obs, profiles, context):
    ...         return self.effect_ + 0 * profiles.mean[context]
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.tl.fit_baseline(adata, kind="half_mean").predict("GENE3").shape
    (1, 60)
    >>> models = {"half": "half_mean", "mean": "mean"}
    >>> result = tx.benchmark(adata, models, baseline="mean", ceiling_repeats=0)
    >>> result.models
    ['half', 'mean']
    """

    def register(cls: B) -> B:
        add_entry(BASELINES, name, Entry(cls, needs, reference), kind="baseline")
        return cls

    return register


def make_baseline(name: str, **options: Any) -> Baseline:
    """Return a baseline by its name, not fitted yet.

    Parameters
    ----------
    name
        One of those that :func:`show` lists.
    **options
        Arguments of its class.

    Raises
    ------
    ValueError
        If there is no such baseline, or it needs more than is given.

    Examples
    --------
    >>> import txpert as tx
    >>> baseline = make_baseline("mean").fit(tx.datasets.toy())
    >>> baseline.predict("GENE3").shape
    (1, 60)
    """
    if name not in BASELINES:
        raise ValueError(f"There is no baseline {name!r}; there are {', '.join(BASELINES)}.")
    entry = BASELINES[name]
    if entry.needs and options.get(entry.needs) is None:
        raise ValueError(
            f"The baseline {name!r} needs {entry.needs}: "
            f"tx.baselines.{entry.cls.__name__}({entry.needs}=...)."
        )
    return entry.cls(**options)


def show() -> pd.DataFrame:
    """List the baselines.

    Returns
    -------
    One row per baseline, by name: its class, what it does, what it needs and its reference.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.baselines.show().loc["neighbors", "needs"]
    'graphs'
    """

    def columns(name: str, entry: Entry) -> dict[str, str]:
        paragraph = (inspect.getdoc(entry.cls) or "").split("\n\n")[0]
        return {
            "class": entry.cls.__name__,
            "description": paragraph.replace("\n", " "),
            "needs": entry.needs,
            "reference": entry.reference,
        }

    return table(BASELINES, columns)
