"""Mean effects by cell line, and what they say about other lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from txpert._constants import CELL_LINE
from txpert._types import FloatArray
from txpert.data import ConditionTable

from ._effects import Effects


@dataclass(frozen=True)
class LineEffects:
    r"""Mean effects of perturbations in each cell line.

    In a line ℓ of training with the mean effect :math:`m_\ell`, a perturbation that was measured
    in other lines only has

    .. math:: \hat\Delta_{P,\ell} = m_\ell + \overline{\Delta_{P,k} - m_k}

    over the lines k that have it, one that was measured in ℓ its own effect, and a new one
    :math:`m_\ell`. In a line without training effects :math:`m_\ell` is the mean over lines. With
    one line this is :meth:`Effects.general`.

    Attributes
    ----------
    of_line
        Effects by cell line.
    """

    of_line: Mapping[str, Effects]

    @classmethod
    def of(cls, rows: ConditionTable) -> LineEffects:
        """Average perturbed conditions over the batches of each cell line.

        A gene that a line did not measure has the mean effect over the others there.
        """
        lines = rows.obs[CELL_LINE].astype(str).to_numpy()
        some = np.isnan(rows.mean).any()
        elsewhere = Effects.of(rows).mean_single if some else None
        return cls(
            {
                str(line): Effects.of(rows.subset(lines == line), elsewhere)
                for line in np.unique(lines)
            }
        )

    def mean(self, cell_line: str) -> FloatArray:
        """Return the mean effect of single targets in a line, ``(n_genes,)``."""
        own = self.of_line.get(cell_line)
        return self._mean if own is None else own.mean_single

    @cached_property
    def _mean(self) -> FloatArray:
        return np.mean([effects.mean_single for effects in self.of_line.values()], axis=0)

    @cached_property
    def _deviations(self) -> dict[str, FloatArray]:
        """Each perturbation's mean deviation from the mean effect, over the lines that have it."""
        found: dict[str, list[FloatArray]] = {}
        for effects in self.of_line.values():
            for label, targets, delta in zip(
                effects.labels, effects.targets, effects.delta, strict=True
            ):
                found.setdefault(label, []).append(delta - len(targets) * effects.mean_single)
        return {label: np.mean(values, axis=0) for label, values in found.items()}

    def general(self, labels: Sequence[str], cell_line: str) -> FloatArray:
        """Return Δ of perturbations in a line, ``(n_labels, n_genes)``.

        Parameters
        ----------
        labels
            Perturbations in canonical spelling.
        cell_line
            Any cell line.
        """
        own, mean = self.of_line.get(cell_line), self.mean(cell_line)
        known = {} if own is None else dict(zip(own.labels, own.delta, strict=True))
        for label, deviation in self._deviations.items():
            if label not in known:
                known[label] = deviation + (label.count("+") + 1) * mean
        effects = Effects(
            pd.Index(known, dtype=object),
            np.stack([*known.values()]),
            np.ones(len(known), dtype=np.int64),
        )
        return effects.general(labels, lambda new: np.tile(mean, (len(new), 1)))

    def to_dict(self) -> dict[str, Any]:
        """Return plain arrays and strings, for saving."""
        return {
            line: {
                "labels": effects.labels.to_numpy(dtype=str),
                "delta": effects.delta,
                "n_cells": effects.n_cells,
            }
            for line, effects in self.of_line.items()
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> LineEffects:
        """Rebuild what :meth:`to_dict` returned."""
        return cls(
            {
                line: Effects(pd.Index(of["labels"].astype(object)), of["delta"], of["n_cells"])
                for line, of in state.items()
            }
        )
