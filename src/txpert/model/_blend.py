from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from txpert.baselines import Effects, GeneKernels, GeneProcess, TargetEffect
from txpert.data import ConditionTable, canonical_label, parse_targets

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class HeldOut:
    """Δ of perturbations by each path, fitted without them, and as observed.

    Attributes
    ----------
    kinds
        "measured", "composed" or "new", in the eyes of what was fitted, ``(n,)``.
    cell_line
        ``(n,)``.
    general, kernel, network
        Δ by each path, ``(n, n_genes)``.
    observed
        Δ as observed, without the effect on the targets.
    """

    kinds: npt.NDArray[np.str_]
    cell_line: npt.NDArray[np.str_]
    general: Array
    kernel: Array
    network: Array
    observed: Array

    @classmethod
    def join(cls, parts: Sequence[HeldOut]) -> HeldOut:
        """Put the perturbations of several parts together."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def of_kind(self, kind: str) -> HeldOut:
        """Return the perturbations of one kind."""
        rows = self.kinds == kind
        return HeldOut(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class Weights:
    """How far a blend follows the kernel path and the network, and its scale."""

    kernel: float
    network: float
    scale: float = 1.0


_EXPECTED = {"measured": Weights(0, 0), "composed": Weights(0, 0), "new": Weights(1, 0)}
"""What was measured keeps its Δ. What was not has the kernel path's, which shrinks by itself where
kernels say little."""


@dataclass(frozen=True)
class Blend:
    r"""Blends the network's Δ with that of simpler predictors, fitted in closed form.

    .. math:: \hat\Delta = T + s\,\big(G + a\,(K - G) + b\,(N - G)\big), \qquad a, b, s \ge 0,

    with the effect T on the targets themselves (:class:`txpert.baselines.TargetEffect`), the
    general path G (:class:`txpert.baselines.GeneralBaseline`), the kernel path K
    (:class:`txpert.baselines.GeneProcess`) and the network N. The weights are fitted by
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
    process: GeneProcess
    kernels: GeneKernels
    weights: Mapping[str, Weights] = field(default_factory=dict)

    @classmethod
    def fit(cls, training: ConditionTable, kernels: GeneKernels) -> Blend:
        """Fit the simple paths on training conditions; the weights are still to be fitted."""
        target = TargetEffect.fit(training)
        effects = Effects.of(target.taken_from(training))
        return cls(target, effects, GeneProcess.fit(effects, kernels), kernels)

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
        kinds = np.unique(held_out.kinds)
        return replace(
            self, weights={str(k): stack(held_out.of_kind(k), _EXPECTED[k]) for k in kinds}
        )

    def simple(self, labels: Sequence[str]) -> tuple[Array, Array]:
        """Return Δ by the general and by the kernel path, ``(n_labels, n_genes)`` each."""
        code, values = pd.factorize(np.asarray(labels, dtype=object))
        distinct = values.tolist()
        general = self.effects.general([canonical_label(label) for label in distinct])
        return general[code], self.process.delta(distinct, self.kernels)[code]

    def delta(self, labels: Sequence[str], network: Array) -> tuple[Array, pd.DataFrame]:
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
        weights = [self.weights.get(kind, _EXPECTED[kind]) for kind in self.kinds(labels)]
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
            GeneProcess.from_dict(state["process"]),
            kernels,
            {kind: Weights(**weights) for kind, weights in state["weights"].items()},
        )


_RETRIEVAL = 0.5
"""What retrieval counts for beside Pearson Δ."""
_STEPS = np.arange(17) / 10
_CAUTION = 5.0
"""What it costs to move a weight by 1: so many perturbations that gain a Pearson Δ of 1."""
_DOUBT = 30
"""Number of held-out perturbations for which the scale is right, taken for granted."""


def stack(held_out: HeldOut, expected: Weights) -> Weights:
    r"""Choose how far to follow the kernel path and the network instead of the general one.

    .. math::

        (a, b) = \arg\max \sum_P \Big(r(D_P, \Delta_P) + \tfrac{1}{2} R_P(D)\Big)
        - 5\,\big((a - a_0)^2 + (b - b_0)^2\big), \qquad
        D = G + a\,(K - G) + b\,(N - G),

    with the Pearson correlation r across genes and the retrieval R among the held-out
    perturbations of the same cell line (:func:`txpert.metrics.retrieval`), over a grid from 0 to
    1.6. Both are blind to the size of effects, so that neither strong perturbations nor noise
    speak for all. With few held out, the weights stay near the expected ones. Then

    .. math:: s = \frac{\sum_P \langle D_P, \Delta_P \rangle + \kappa m}
                       {\sum_P \langle D_P, D_P \rangle + \kappa m}

    scales the prediction to the least squared error, with the mean m of
    :math:`\langle D_P, D_P \rangle` and :math:`\kappa = 30` perturbations for which it is right.
    Stacked regression (Breiman 1996, doi:10.1007/BF00117832) fits such weights by least squares.

    Parameters
    ----------
    held_out
        Perturbations that no path was fitted on.
    expected
        :math:`(a_0, b_0)`.
    """
    general = held_out.general
    terms = np.stack([general, held_out.kernel - general, held_out.network - general])
    if not terms[1:].any():
        a, b = expected.kernel, expected.network
    else:
        gain = _gains(terms, held_out.observed, held_out.cell_line)
        moved = (_STEPS - expected.kernel)[:, None] ** 2 + (_STEPS - expected.network) ** 2
        best = np.unravel_index((gain - _CAUTION * moved).argmax(), gain.shape)
        a, b = _STEPS[best[0]], _STEPS[best[1]]
    blended = np.tensordot([1, a, b], terms, axes=1)
    along, size = np.vdot(blended, held_out.observed), np.vdot(blended, blended)
    doubt = _DOUBT * size / len(blended)
    scale = (along + doubt) / (size + doubt) if size else 1.0
    return Weights(float(a), float(b), float(max(scale, 0)))


def _gains(
    terms: Array, observed: Array, cell_line: npt.NDArray[np.str_]
) -> npt.NDArray[np.float64]:
    """Return the sum of correlations and retrievals for each pair of weights on the grid."""
    centred = terms - terms.mean(axis=2, keepdims=True)
    truth = observed - observed.mean(axis=1, keepdims=True)
    length = np.linalg.norm(truth, axis=1, keepdims=True)
    truth = np.divide(truth, length, out=np.zeros_like(truth), where=length > 0)
    inner = np.einsum("kpg,qg->kpq", centred, truth, optimize=True)
    gram = np.einsum("kpg,lpg->klp", centred, centred, optimize=True)
    others = cell_line[:, None] == cell_line
    np.fill_diagonal(others, False)
    number = np.maximum(others.sum(axis=1), 1)
    gains = np.empty((len(_STEPS), len(_STEPS)))
    for i, a in enumerate(_STEPS):
        for j, b in enumerate(_STEPS):
            weights = np.array([1, a, b])
            along = np.tensordot(weights, inner, axes=1)
            size = np.sqrt(np.einsum("k,klp,l->p", weights, gram, weights).clip(0))
            own = np.diagonal(along)
            correlation = np.divide(own, size, out=np.zeros_like(size), where=size > 0)
            found = ((own[:, None] >= along) & others).sum(axis=1) / number
            gains[i, j] = correlation.sum() + _RETRIEVAL * found.sum()
    return gains
