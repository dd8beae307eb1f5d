"""How well effects match a signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from txpert._types import FloatArray

Score = Literal["dot", "cosine", "pearson"]
SCORES: tuple[str, ...] = get_args(Score)


@dataclass(frozen=True)
class Scorer:
    """A score against one signature.

    Attributes
    ----------
    name
        ``"dot"``, the inner product; ``"cosine"``, divided by both norms; ``"pearson"``, the
        cosine after subtracting each one's mean over genes.
    signature
        Weights, ``(n_genes,)``; centered and of norm 1 as the score has it.
    """

    name: Score
    signature: FloatArray

    @classmethod
    def of(cls, name: Score, weights: FloatArray) -> Scorer:
        """Prepare a signature.

        Raises
        ------
        ValueError
            If there is no such score, or the score of the weights is not defined: all are 0, or
            equal under ``"pearson"``.
        """
        if name not in SCORES:
            raise ValueError(f"score must be one of {', '.join(SCORES)}, not {name!r}.")
        weights = np.asarray(weights, dtype=np.float64)
        if not np.any(weights):
            raise ValueError("All weights of the signature are 0.")
        if name == "pearson":
            weights = weights - weights.mean()
        norm = np.linalg.norm(weights)
        if norm < 1e-12:
            raise ValueError("All weights of the signature are equal: no correlation is defined.")
        return cls(name, weights if name == "dot" else weights / norm)

    def prepare(self, delta: FloatArray) -> FloatArray:
        """Return effects as the score sees them, ``(n, n_genes)``: centered for Pearson."""
        if self.name != "pearson":
            return np.asarray(delta, dtype=np.float32)
        return np.asarray(delta - delta.mean(axis=1, keepdims=True), dtype=np.float32)

    def along(self, prepared: FloatArray) -> FloatArray:
        """Return inner products of prepared effects with the signature, ``(n,)``."""
        return prepared @ self.signature.astype(np.float32)

    def quick(self, delta: FloatArray) -> FloatArray:
        """Return the scores of effects in single precision, ``(n,)``; 0 without an effect."""
        prepared = self.prepare(delta)
        along = self.along(prepared).astype(float)
        if self.name == "dot":
            return along
        norm = np.sqrt(np.einsum("ij,ij->i", prepared, prepared))
        return np.divide(along, norm, out=np.zeros_like(along), where=norm > 1e-12)

    def exact(self, delta: FloatArray) -> FloatArray:
        """Return the scores of effects in double precision, ``(n,)``; 0 without an effect."""
        delta = np.asarray(delta, dtype=np.float64)
        if self.name == "pearson":
            delta = delta - delta.mean(axis=1, keepdims=True)
        along = delta @ self.signature
        if self.name == "dot":
            return along
        norm = np.linalg.norm(delta, axis=1)
        return np.divide(along, norm, out=np.zeros_like(along), where=norm > 1e-12)
