"""Ranking of candidates of a model against a signature, for ``tl.screen``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats
from tqdm.auto import tqdm

from txpert._constants import COMBINATION
from txpert._ranking import Kept, Scorer, top_pairs, top_singles
from txpert._types import BoolArray, FloatArray, IntArray
from txpert.model._additive import Asked
from txpert.model._component import COMPOSED, NEW

_SHORTLIST = 10
"""Where pairs are not additive, so many times more than asked for are predicted by themselves."""
_DRAWN = 1_024
"""Random pairs by which it is bounded what a shortlist misses."""
_CONFIDENCE = 0.95


class Bound(NamedTuple):
    """What a shortlist may have missed.

    Attributes
    ----------
    margin
        By how much a pair that is not on it would have to score above its sum to be returned.
    missed_at_most
        Upper 95% confidence limit of the fraction of all pairs that do, by random pairs.
    """

    margin: float = np.inf
    missed_at_most: float = 0.0


class Ranking:
    """Predictions of candidates, scored."""

    def __init__(
        self,
        asked: Asked,
        genes: list[str],
        scorer: Scorer,
        columns: IntArray,
        *,
        kept: Kept,
        progress: bool,
    ) -> None:
        self.asked, self.genes, self.scorer = asked, genes, scorer
        self.columns, self.kept, self.progress = columns, kept, progress

    def scores(self, labels: Sequence[str], stage: str | None = None) -> FloatArray:
        """Return the scores of perturbations, predicted some at a time; a stage is kept."""
        known: dict[str, float] = {}
        nothing = np.zeros(0)
        if stage is not None and (found := self.kept.find(stage, nothing)) is not None:
            known = dict(zip(found["names"].tolist(), found["scores"].tolist(), strict=True))
        whole = np.array_equal(self.columns, np.arange(len(self.asked.profiles.genes)))
        left = [label for label in labels if label not in known]
        for _, some in self._chunks(left):
            delta = self.asked.delta(some)
            scores = self.scorer.quick(delta if whole else delta[:, self.columns])
            known.update(zip(some, scores.tolist(), strict=True))
            if stage is not None:
                arrays = {"names": np.array(list(known)), "scores": np.array(list(known.values()))}
                self.kept.store(stage, nothing, **arrays)
        return np.array([known[label] for label in labels])

    def singles(self, top: int) -> tuple[list[str], FloatArray]:
        """Return the best single perturbations and their scores."""
        scores = self.scores(self.genes)
        best = top_singles(scores, top)
        return [self.genes[i] for i in best], scores[best]

    def pairs(self, top: int, additive: bool) -> tuple[list[str], FloatArray, Bound]:
        """Return the best pairs, their scores, and what a shortlist may have missed."""
        measured = self.asked.measured_pairs(self.genes)
        wanted = (top if additive else _SHORTLIST * top) + len(measured)
        composed = self.asked.composed(self.genes)
        names, scores = self._sums(wanted, composed, set(measured))
        if not additive:
            kept = top_singles(scores, _SHORTLIST * top)
            names, sums = [names[i] for i in kept], scores[kept]
            scores = self.scores(names, "shortlist")
        labels = [*names, *measured]
        values = np.concatenate([scores, self.scores(measured)])
        best = np.lexsort((np.array(labels, dtype=str), -values))[:top]
        bound, number = Bound(), len(self.genes)
        if not additive and len(labels) < number * (number - 1) // 2:
            bound = self._bound(values[best[-1]] - sums[-1], composed)
        return [labels[i] for i in best], values[best], bound

    def _sums(
        self, wanted: int, composed: BoolArray, skip: set[str]
    ) -> tuple[list[str], FloatArray]:
        """Rank pairs by the sum over their targets; return names and scores."""
        inside = [gene for gene, is_in in zip(self.genes, composed, strict=True) if is_in]
        names: list[str] = []
        scores: list[float] = []
        for kind, genes, left_out in ((NEW, self.genes, composed), (COMPOSED, inside, None)):
            if len(genes) < 2 or (left_out is not None and left_out.all()):
                continue
            found = top_pairs(
                self._prepared(genes, kind),
                self.scorer,
                wanted,
                left_out=left_out,
                kept=self.kept,
                stage=kind,
                progress=self.progress,
            )
            for i, j, value in zip(*found, strict=True):
                label = COMBINATION.join(sorted((genes[i], genes[j])))
                if label not in skip and np.isfinite(value):
                    names.append(label)
                    scores.append(float(value))
        return names, np.array(scores)

    def _bound(self, margin: float, composed: BoolArray) -> Bound:
        """Count random pairs that score above their sum by more than the margin."""
        rng = np.random.default_rng(0)
        first = rng.integers(len(self.genes), size=_DRAWN)
        second = (first + rng.integers(1, len(self.genes), size=_DRAWN)) % len(self.genes)
        pairs = [(self.genes[i], self.genes[j]) for i, j in zip(first, second, strict=True)]
        labels = [COMBINATION.join(sorted(pair)) for pair in pairs]
        excess = self.scores(labels)
        for kind in (COMPOSED, NEW):
            rows = np.flatnonzero((composed[first] & composed[second]) == (kind == COMPOSED))
            sides = [[pairs[row][side] for row in rows] for side in (0, 1)]
            if len(rows):
                whole = sum(self.asked.within_pairs(side, kind) for side in sides)
                excess[rows] -= self.scorer.quick(np.asarray(whole)[:, self.columns])
        above = int((excess > margin).sum())
        limit = stats.beta.ppf(_CONFIDENCE, above + 1, _DRAWN - above) if above < _DRAWN else 1.0
        return Bound(float(margin), float(limit))

    def _prepared(self, genes: list[str], kind: str) -> FloatArray:
        """Return what each gene adds to a pair, as the score sees it."""
        prepared = np.empty((len(genes), len(self.columns)), dtype=np.float32)
        for rows, some in self._chunks(genes):
            delta = self.asked.within_pairs(some, kind)[:, self.columns]
            prepared[rows] = self.scorer.prepare(delta)
        return prepared

    def _chunks(self, labels: Sequence[str]) -> Iterable[tuple[slice, list[str]]]:
        chunks = list(self.asked.chunks(labels))
        quiet = not self.progress or len(chunks) < 2
        return tqdm(chunks, desc="predictions", disable=quiet, leave=False)
