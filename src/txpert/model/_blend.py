from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import nnls

from txpert.baselines import Effects, RidgeBaseline
from txpert.data import ConditionTable, canonical_label, parse_targets

Array = npt.NDArray[np.float32]

_DOUBT = 5
"""Number of perturbations for which the general path is right, taken for granted."""


@dataclass(frozen=True)
class LinearPath:
    """Ridge regression of Δ on features of the targets, as in the baseline of that name.

    Attributes
    ----------
    features
        Genes × features, centred.
    coefficients
        Features × genes measured.
    mean
        Effect of a target without features, ``(n_genes,)``.
    """

    features: pd.DataFrame
    coefficients: Array
    mean: Array

    @classmethod
    def fit(cls, training: ConditionTable, features: pd.DataFrame) -> LinearPath:
        """Fit on training conditions; see :class:`txpert.baselines.RidgeBaseline`."""
        ridge = RidgeBaseline(training, features)
        return cls(
            ridge.features_.astype(np.float32),
            ridge.coefficients_.astype(np.float32),
            ridge.mean_effect_.astype(np.float32),
        )

    def delta(self, labels: Sequence[str]) -> Array:
        """Return Δ of perturbations, ``(n_labels, n_genes)``."""
        targets = pd.Series([parse_targets(label) for label in labels]).explode().dropna()
        label = targets.index.to_numpy()
        order = np.bincount(label, minlength=len(labels)).astype(np.float32)
        position = self.features.index.get_indexer(pd.Index(targets))
        known = position >= 0
        rows = np.zeros((len(labels), self.features.shape[1]), dtype=np.float32)
        np.add.at(rows, label[known], self.features.to_numpy()[position[known]])
        return order[:, None] * self.mean + rows @ self.coefficients


@dataclass(frozen=True)
class Blend:
    r"""Blends the network's Δ with that of two simpler predictors, fitted in closed form.

    .. math:: \hat\Delta = G + a\,(L - G) + b\,(N - G), \qquad a, b \ge 0,

    with the general path G (:class:`txpert.baselines.GeneralBaseline`), the linear path L
    (:class:`LinearPath`) and the network N. The weights are fitted by :func:`stack` for each kind
    of perturbation by itself: "measured" (in training, in another cell line, say), "composed" (a
    combination of which all targets are), and "new". A kind that no held-out perturbation is of
    has the general path.

    Attributes
    ----------
    effects
        Mean effects in training, which the general path is made of.
    linear
        ``None`` without features.
    weights
        a and b by kind.
    """

    effects: Effects
    linear: LinearPath | None
    weights: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def fit(cls, training: ConditionTable, features: pd.DataFrame | None) -> Blend:
        """Fit the simple paths on training conditions; the weights are still to be fitted."""
        linear = None if features is None else LinearPath.fit(training, features)
        return cls(Effects.of(training), linear)

    def kinds(self, labels: Sequence[str]) -> npt.NDArray[np.str_]:
        """Return "measured", "composed" or "new" for each perturbation."""

        def kind(label: str) -> str:
            if self.effects.get(canonical_label(label)) is not None:
                return "measured"
            known = [self.effects.get(target) is not None for target in parse_targets(label)]
            return "composed" if all(known) else "new"

        return np.array([kind(label) for label in labels])

    def weigh(self, kinds: npt.NDArray[np.str_], deltas: Sequence[Array]) -> Blend:
        """Return the blend with weights fitted on held-out perturbations.

        Parameters
        ----------
        kinds
            Kind of each, in the eyes of what was fitted without it.
        deltas
            Its Δ by the general path, the linear path and the network, and as observed,
            ``(n, n_genes)`` each.
        """
        weights = {
            str(kind): stack(*(delta[kinds == kind] for delta in deltas))
            for kind in np.unique(kinds)
        }
        return replace(self, weights=weights)

    def simple(self, labels: Sequence[str]) -> tuple[Array, Array]:
        """Return Δ by the general and by the linear path, ``(n_labels, n_genes)`` each."""
        code, values = pd.factorize(np.asarray(labels, dtype=object))
        distinct = values.tolist()
        general = self.effects.general([canonical_label(label) for label in distinct])
        linear = general if self.linear is None else self.linear.delta(distinct)
        return general[code], linear[code]

    def delta(self, labels: Sequence[str], network: Array) -> tuple[Array, pd.DataFrame]:
        """Return the blended Δ, and the share of each path in it.

        Parameters
        ----------
        labels
            Perturbations.
        network
            Their Δ by the network, ``(n_labels, n_genes)``.

        Returns
        -------
        Δ, ``(n_labels, n_genes)``, and a frame with share_general, share_linear and share_network:
        the lengths of the three terms, over their sum.
        """
        general, linear = self.simple(labels)
        pairs = [self.weights.get(kind, (0.0, 0.0)) for kind in self.kinds(labels)]
        a, b = np.array(pairs, dtype=np.float32).T[:, :, None]
        terms = {
            "general": general,
            "linear": a * (linear - general),
            "network": b * (network - general),
        }
        length = pd.DataFrame(
            {f"share_{name}": np.linalg.norm(term, axis=1) for name, term in terms.items()}
        )
        shares = length.div(length.sum(axis=1).replace(0, 1), axis=0)
        return np.sum(list(terms.values()), axis=0), shares

    def to_dict(self) -> dict[str, Any]:
        """Return plain arrays and strings, for saving."""
        state = {
            "labels": self.effects.labels.to_numpy(dtype=str),
            "delta": self.effects.delta,
            "n_cells": self.effects.n_cells,
            "weights": {kind: list(pair) for kind, pair in self.weights.items()},
        }
        if self.linear is None:
            return state
        return state | {
            "genes": self.linear.features.index.to_numpy(dtype=str),
            "features": self.linear.features.to_numpy(),
            "coefficients": self.linear.coefficients,
            "mean": self.linear.mean,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Blend:
        """Rebuild what :meth:`to_dict` returned."""
        labels = pd.Index(state["labels"].astype(object))
        effects = Effects(labels, state["delta"], state["n_cells"])
        linear = None
        if "features" in state:
            features = pd.DataFrame(state["features"], index=state["genes"].astype(object))
            linear = LinearPath(features, state["coefficients"], state["mean"])
        return cls(effects, linear, {k: (a, b) for k, (a, b) in state["weights"].items()})


def stack(general: Array, linear: Array, network: Array, observed: Array) -> tuple[float, float]:
    r"""Choose how far to follow the linear path and the network instead of the general one.

    .. math::

        (a, b) = \arg\min_{a, b \ge 0} \sum_P \frac{\lVert \Delta_P - G_P - a (L_P - G_P)
        - b (N_P - G_P) \rVert^2}{\lVert \Delta_P - G_P \rVert^2} + \kappa c\, (a^2 + b^2),

    over perturbations that none of the three was fitted on (stacked regression, Breiman 1996,
    doi:10.1007/BF00117832). Every perturbation counts the same, so that a few strong ones do not
    speak for all. The penalty is that of :math:`\kappa = 5` perturbations for which the general
    path is right: with few held out, the weights stay small. c is the mean over P of
    :math:`(\lVert L_P - G_P \rVert^2 + \lVert N_P - G_P \rVert^2) / 2 \lVert \Delta_P - G_P
    \rVert^2`.

    Parameters
    ----------
    general, linear, network, observed
        Δ of perturbations that were held out, ``(n, n_genes)``.

    Returns
    -------
    :math:`(a, b)`.
    """
    steps = np.stack([linear - general, network - general], axis=1).astype(np.float64)
    target = (observed - general).astype(np.float64)
    length = np.maximum((target**2).sum(axis=1), np.finfo(float).tiny)
    gram = np.einsum("ikg,ilg,i->kl", steps, steps, 1 / length)
    along = np.einsum("ikg,ig,i->k", steps, target, 1 / length)
    penalty = _DOUBT * np.trace(gram) / (2 * len(target))
    if not penalty:
        return 0.0, 0.0
    root = np.linalg.cholesky(gram + penalty * np.eye(2))
    a, b = nnls(root.T, np.linalg.solve(root, along))[0]
    return float(a), float(b)
