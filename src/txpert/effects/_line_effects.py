"""Mean effects by cell line, and what they say about other lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from txpert._constants import ALL, CELL_LINE, MODALITY, PERTURBATION
from txpert._types import FloatArray
from txpert.data import ConditionTable
from txpert.data._tokens import parse_targets

from ._contexts import Context, paired
from ._effects import Effects


@dataclass(frozen=True)
class LineEffects:
    r"""Mean effects of perturbations in each cell line, modalities apart.

    In a line ℓ of training with the mean effect :math:`m_\ell`, a perturbation that was measured
    in other lines only has

    .. math:: \hat\Delta_{P,\ell} = |P|\, m_\ell + \overline{\Delta_{P,k} - |P|\, m_k}

    over the lines k that have it, where :math:`|P|` is its number of targets; one that was
    measured in ℓ has its own effect, a combination that no line has is the sum of its parts, and a
    new target has :math:`m_\ell`. In a line without training effects :math:`m_\ell` is the mean
    over lines. With one line this is :meth:`Effects.general`.

    Attributes
    ----------
    of_context
        Effects by cell line and modality.

    Examples
    --------
    B was measured in K562 only, where its effect is 1 above the mean in both genes:

    >>> import anndata as ad
    >>> import pandas as pd
    >>> import txpert as tx
    >>> k562 = pd.DataFrame([[1.0, 0.0], [3.0, 2.0]], index=["A", "B"], columns=["X", "Y"])
    >>> rpe1 = pd.DataFrame([[2.0, 0.0]], index=["A"], columns=["X", "Y"])
    >>> tables = [tx.pp.from_effects(k562, cell_line="K562")]
    >>> tables += [tx.pp.from_effects(rpe1, cell_line="RPE1")]
    >>> table = tx.data.ConditionTable.of(ad.concat(tables))
    >>> effects = tx.effects.LineEffects.of(table.training())
    >>> in_k562, in_rpe1 = effects.of_context
    >>> effects.mean(in_rpe1).tolist()
    [2.0, 0.0]
    >>> effects.general(["A", "B", "NEW"], in_rpe1).tolist()
    [[2.0, 0.0], [3.0, 1.0], [2.0, 0.0]]
    """

    of_context: Mapping[Context, Effects]

    @classmethod
    def of(cls, rows: ConditionTable) -> LineEffects:
        """Average perturbed conditions over the batches of each cell line.

        A gene that a line did not measure has the mean effect over the others there.
        """
        contexts = contexts_of(rows.obs)
        masks = {c: np.array([c == other for other in contexts]) for c in sorted(set(contexts))}
        elsewhere = Effects.of(rows).mean_single if np.isnan(rows.mean).any() else None
        return cls({c: Effects.of(rows.subset(mask), elsewhere) for c, mask in masks.items()})

    def mean(self, context: Context) -> FloatArray:
        """Return the mean effect of single targets in a context, ``(n_genes,)``.

        That of an unseen line is the mean over the lines with that modality, else over all.
        """
        if context in self.of_context:
            return self.of_context[context].mean_single
        same = [e for c, e in self.of_context.items() if c.modality == context.modality]
        found = same or [*self.of_context.values()]
        return np.asarray(np.mean([effects.mean_single for effects in found], axis=0))

    @property
    def pooled_mean(self) -> FloatArray:
        """Mean effect over the perturbations of all contexts, ``(n_genes,)``."""
        number = [len(effects.labels) for effects in self.of_context.values()]
        means = [effects.mean_single for effects in self.of_context.values()]
        return np.asarray(np.average(means, axis=0, weights=number))

    @cached_property
    def _deviations(self) -> dict[str, dict[str, FloatArray]]:
        """By modality, each perturbation's deviation from the mean effect, averaged over lines."""
        found: dict[str, dict[str, list[FloatArray]]] = {}
        for context, effects in self.of_context.items():
            of_label = found.setdefault(context.modality, {})
            rows = zip(effects.labels, effects.targets, effects.delta, strict=True)
            for label, targets, delta in rows:
                deviation = delta - len(targets) * effects.mean_single
                of_label.setdefault(label, []).append(deviation)
        return {
            modality: {label: np.mean(values, axis=0) for label, values in of_label.items()}
            for modality, of_label in found.items()
        }

    def general(self, labels: Sequence[str], context: Context) -> FloatArray:
        """Return Δ of perturbations in a context, ``(n_labels, n_genes)``.

        Parameters
        ----------
        labels
            Perturbations in canonical spelling.
        context
            Any cell line and modality.
        """
        own, mean = self.of_context.get(context), self.mean(context)
        known = {} if own is None else dict(zip(own.labels, own.delta, strict=True))
        for label, deviation in self._deviations.get(context.modality, {}).items():
            if label not in known:
                known[label] = deviation + len(parse_targets(label)) * mean
        delta = np.stack([*known.values()]) if known else np.empty((0, len(mean)), np.float32)
        effects = Effects(pd.Index(known, dtype=object), delta, np.ones(len(known), np.int64))
        return effects.general(labels, mean)

    def to_dict(self) -> dict[str, Any]:
        """Return plain arrays and strings, for saving."""
        states = [
            {
                "cell_line": context.cell_line,
                "modality": context.modality,
                "labels": effects.labels.to_numpy(dtype=str),
                "delta": effects.delta,
                "n_cells": effects.n_cells,
            }
            for context, effects in self.of_context.items()
        ]
        return {str(i): state for i, state in enumerate(states)}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> LineEffects:
        """Rebuild what :meth:`to_dict` returned."""
        return cls(
            {
                Context(of["cell_line"], of["modality"]): Effects(
                    pd.Index(of["labels"].astype(object)), of["delta"], of["n_cells"]
                )
                for of in state.values()
            }
        )


def contexts_of(obs: pd.DataFrame) -> list[Context]:
    """Return cell line and modality of each condition; ``"all"`` where there is no modality."""
    lines = obs[CELL_LINE].astype(str)
    modality = obs[MODALITY].astype(str) if MODALITY in obs else pd.Series(ALL, obs.index)
    return paired(lines, modality)


def check_modality(modality: str, known: Iterable[str]) -> None:
    """Raise a KeyError if a modality is none of those known."""
    named = sorted({*known} - {ALL, ""})
    if modality not in named:
        why = f"there are {', '.join(named)}" if named else "the data name none"
        raise KeyError(f"No training perturbation is of modality {modality!r}; {why}.")


def check_modalities(obs: pd.DataFrame, known: Iterable[str]) -> None:
    """Raise a KeyError if a perturbation asked for has a modality that the data lack.

    Parameters
    ----------
    obs
        perturbation and, if there is one, modality of each condition of a prediction.
    known
        Modalities of the data; controls of several have ``"all"``.
    """
    if MODALITY not in obs:
        return
    named = {*known} - {ALL} or {ALL}
    unknown = obs.loc[~obs[MODALITY].isin(named), [PERTURBATION, MODALITY]]
    for label, modality in unknown.itertuples(index=False, name=None):
        if parse_targets(label):
            check_modality(modality, named)
