from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from txpert._constants import CELL_LINE, PERTURBATION
from txpert._types import FloatArray
from txpert.data import ConditionTable, average_over_batches, canonical_label, parse_targets
from txpert.effects import Effects, GeneGaussianProcess, GeneKernels, TargetEffect

from ._stacking import HeldOut, Weights, stack

_MOST_LINES = 5
_NETWORK, _ENOUGH = 0.3, 20
"""Expected weight of the network for new perturbations, once so many of them were held out."""


def expected(kind: str, n_held_out: int = 0, explained: float = 1.0) -> Weights:
    """Return the weights to start from, which few held-out perturbations hardly move.

    What was measured keeps its Δ. What was not has the kernel path's, which shrinks by itself
    where kernels say little. The network, which has the same graphs to go by, is trusted as far as
    these explain effects, and as far as it could be tested.
    """
    if kind != "new":
        return Weights(0, 0)
    network = _NETWORK * explained * min(n_held_out / _ENOUGH, 1)
    return Weights(1 - network, network)


@dataclass(frozen=True)
class Blend:
    r"""Blends the network's Δ with that of simpler predictors, fitted in closed form.

    .. math:: \hat\Delta = T + s\,\big(G + a\,(K - G) + b\,(N - G)\big), \qquad a, b, s \ge 0,

    with the effect T on the targets themselves (:class:`txpert.effects.TargetEffect`), the
    general path G (:class:`txpert.baselines.GeneralBaseline`), the kernel path K
    (:class:`txpert.effects.GeneGaussianProcess`) and the network N. The weights are fitted by
    :func:`stack` for each kind of perturbation by itself: "measured" (in training, in another
    cell line, say), "composed" (a combination of which all targets are), and "new". A kind that
    no held-out perturbation is of follows the kernel path if it is "new", else the general one.

    Attributes
    ----------
    target
        Effect on the targets; G and K are of what training perturbations do besides.
    effects
        Mean effects in training, which the general path is made of.
    process
        The kernel path.
    kernels
        What the kernel path knows of genes.
    weights
        By kind.
    """

    target: TargetEffect
    effects: Effects
    process: GeneGaussianProcess
    kernels: GeneKernels
    weights: Mapping[str, Weights] = field(default_factory=dict)

    @classmethod
    def fit(cls, training: ConditionTable, kernels: GeneKernels) -> Blend:
        """Fit the simple paths on training conditions; the weights are still to be fitted."""
        target = TargetEffect.fit(training)
        effects = Effects.of(target.removed_from(training))
        return cls(target, effects, GeneGaussianProcess.fit(effects, kernels), kernels)

    def kinds(self, labels: Sequence[str]) -> npt.NDArray[np.str_]:
        """Return "measured", "composed" or "new" for each perturbation."""

        def kind(label: str) -> str:
            if self.effects.get(canonical_label(label)) is not None:
                return "measured"
            known = [self.effects.get(target) is not None for target in parse_targets(label)]
            return "composed" if all(known) else "new"

        return np.array([kind(label) for label in labels])

    def weigh(self, held_out: HeldOut) -> Blend:
        """Return the blend with weights fitted on held-out perturbations."""
        weights = {}
        for kind in np.unique(held_out.kinds):
            some = held_out.of_kind(kind)
            trust = self.process.explained if kind == "new" else 1.0
            weights[str(kind)] = stack(some, expected(kind, len(some.kinds), trust), trust)
        return replace(self, weights=weights)

    def simple(self, labels: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Return Δ by the general and by the kernel path, ``(n_labels, n_genes)`` each."""
        code, values = pd.factorize(np.asarray(labels, dtype=object))
        distinct = values.tolist()
        general = self.effects.general([canonical_label(label) for label in distinct])
        return general[code], self.process.delta(distinct, self.kernels)[code]

    def delta(self, labels: Sequence[str], network: FloatArray) -> tuple[FloatArray, pd.DataFrame]:
        """Return the blended Δ without the effect on the targets, and what it is made of.

        Parameters
        ----------
        labels
            Perturbations.
        network
            Their Δ by the network, ``(n_labels, n_genes)``.

        Returns
        -------
        Δ, ``(n_labels, n_genes)``, and a frame with the lengths of the three terms: general,
        kernel and network.
        """
        general, kernel = self.simple(labels)
        weights = [self.weights.get(kind, expected(kind)) for kind in self.kinds(labels)]
        triples = [(weight.scale, weight.kernel, weight.network) for weight in weights]
        scale, a, b = np.array(triples, dtype=np.float32).T[:, :, None]
        terms = {
            "general": scale * general,
            "kernel": scale * a * (kernel - general),
            "network": scale * b * (network - general),
        }
        lengths = {name: np.linalg.norm(term, axis=1) for name, term in terms.items()}
        return np.sum(list(terms.values()), axis=0), pd.DataFrame(lengths)

    def to_dict(self) -> dict[str, Any]:
        """Return plain arrays and strings, for saving."""
        return {
            "target": self.target.size,
            "labels": self.effects.labels.to_numpy(dtype=str),
            "delta": self.effects.delta,
            "n_cells": self.effects.n_cells,
            "process": self.process.to_dict(),
            "weights": {kind: asdict(weights) for kind, weights in self.weights.items()},
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], kernels: GeneKernels) -> Blend:
        """Rebuild what :meth:`to_dict` returned."""
        labels = pd.Index(state["labels"].astype(object))
        return cls(
            TargetEffect(state["target"]),
            Effects(labels, state["delta"], state["n_cells"]),
            GeneGaussianProcess.from_dict(state["process"]),
            kernels,
            {kind: Weights(**weights) for kind, weights in state["weights"].items()},
        )


def across_lines(training: ConditionTable, kernels: GeneKernels) -> list[HeldOut]:
    """Hold out each cell line in turn, to learn what its measurement in others says about it.

    The network, which would have to be trained anew for each, is left out: it stands for the
    general path.

    Parameters
    ----------
    training
        Perturbed conditions in training. Of more than five cell lines, evenly spaced ones are held
        out.
    kernels
        As in :meth:`Blend.fit`.

    Returns
    -------
    For each cell line the perturbations that another one has too; none with one cell line.
    """
    of_row = training.obs[CELL_LINE].astype(str).to_numpy()
    lines = np.unique(of_row)
    parts: list[HeldOut] = []
    if len(lines) < 2:
        return parts
    for line in lines[np.unique(np.linspace(0, len(lines) - 1, _MOST_LINES).astype(int))]:
        blend = Blend.fit(training.subset(of_row != line), kernels)
        rows = training.subset(of_row == line)
        observed, obs = average_over_batches(blend.target.removed_from(rows).delta, rows.obs)
        labels = obs[PERTURBATION].astype(str).to_numpy()
        kinds = blend.kinds(labels.tolist())
        known = kinds == "measured"
        if known.any():
            general, kernel = blend.simple(labels[known].tolist())
            held = np.repeat(line, known.sum())
            parts.append(HeldOut(kinds[known], held, general, kernel, general, observed[known]))
    return parts
