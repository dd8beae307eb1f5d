"""Which contexts (cell line and modality) share effects, and how."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from txpert._types import FloatArray

SHARED = "shared"
_OF_CONTEXT = 0.3
"""Expected variance of what one line or modality has for itself, relative to what all share."""


class Context(NamedTuple):
    """Where an effect was or would be measured."""

    cell_line: str
    modality: str


def paired(lines: Iterable[str], modalities: Iterable[str]) -> list[Context]:
    """Return the contexts of cell lines and modalities; equal ones are the same object."""
    known: dict[tuple[str, str], Context] = {}
    found = []
    for pair in zip(lines, modalities, strict=True):
        if pair not in known:
            known[pair] = Context(*pair)
        found.append(known[pair])
    return found


@dataclass(frozen=True)
class ContextFactors:
    """Factors that kernels between genes are multiplied by for pairs of contexts.

    "shared" is 1 for all pairs; "line" is 1 within a cell line and "modality" within a modality;
    "opposed M" is 1 but −1 between modality M and the others, so that together with the former
    effects of two modalities may be equal, unrelated or of opposite sign, each as far as the data
    say. Modalities have factors where training has two or more. One cell line has its factor, too:
    how far its effects hold in others is then taken from the prior.

    Attributes
    ----------
    contexts
        Training contexts.
    names
        Names of the factors, "shared" first.
    """

    contexts: list[Context]
    names: list[str]

    @classmethod
    def of(cls, contexts: Sequence[Context]) -> ContextFactors:
        """Return the factors that these contexts can tell apart."""
        names = [SHARED, "line"]
        modalities = sorted({context.modality for context in contexts})
        if len(modalities) > 1:
            names.append("modality")
            # With two modalities, opposing one is opposing the other.
            chosen = modalities if len(modalities) > 2 else modalities[:1]
            names += [f"opposed {modality}" for modality in chosen]
        return cls(list(contexts), names)

    @property
    def expected(self) -> FloatArray:
        """Expected variances relative to what all share.

        Sharing and opposition count the same, so that modalities are unrelated at first.
        """
        shares = {SHARED: 1.0, "line": _OF_CONTEXT, "modality": _OF_CONTEXT}
        return np.array([shares.get(name, 1.0) for name in self.names])

    @property
    def fixed(self) -> list[int]:
        """Positions of factors that training contexts do not tell apart."""
        return [1] if len({context.cell_line for context in self.contexts}) == 1 else []

    @cached_property
    def over_lines(self) -> FloatArray:
        """Weights that average over the contexts of a line, ``(n_contexts, n_contexts)``."""
        lines = np.array([context.cell_line for context in self.contexts])
        same = (lines[:, None] == lines).astype(float)
        return np.asarray(same / same.sum(axis=1, keepdims=True))

    def amplitude(self, noise: FloatArray) -> FloatArray:
        """Return the size of effects by context, in proportion to the line's noise.

        A cell line that responds half as much in some directions also varies half as much there.

        Parameters
        ----------
        noise
            Variance by context, with a geometric mean of 1.
        """
        return np.asarray(np.exp(self.over_lines @ np.log(noise) / 2))

    def between(self, asked: Sequence[Context]) -> FloatArray:
        """Return ``(n_factors, n_asked, n_contexts)``."""
        return np.array(
            [[[_factor(n, a, b) for b in self.contexts] for a in asked] for n in self.names],
            dtype=float,
        )


def _factor(name: str, one: Context, other: Context) -> float:
    if name == SHARED:
        return 1.0
    if name == "line":
        return float(one.cell_line == other.cell_line)
    if name == "modality":
        return float(one.modality == other.modality)
    modality = name.removeprefix("opposed ")
    return 1.0 if (one.modality == modality) == (other.modality == modality) else -1.0
