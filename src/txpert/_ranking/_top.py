"""The best of many scores, kept while they are computed in blocks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from txpert._accelerator import product
from txpert._types import BoolArray, FloatArray, IntArray

from ._kept import Kept
from ._scores import Scorer

_BLOCK = 1_024
"""Effects compared with all others at a time: 80 MB of scores for 20,000 of them."""
_TINY = 1e-12


class Pairs(NamedTuple):
    """Pairs of effects and their scores, the best first."""

    first: IntArray
    second: IntArray
    score: FloatArray


class _Best:
    """The largest values of a stream, with a number for each."""

    def __init__(self, n: int) -> None:
        self.n, self.least = n, -np.inf
        self._values: list[FloatArray] = [np.empty(0, np.float32)]
        self._numbers: list[IntArray] = [np.empty(0, np.int64)]
        self._held = 0

    def state(self) -> dict[str, np.ndarray]:
        """Return what counts so far."""
        self._prune()
        return {"values": self._values[0], "numbers": self._numbers[0]}

    def restore(self, values: FloatArray, numbers: IntArray) -> None:
        """Go on from what :meth:`state` returned."""
        self._values, self._numbers, self._held = [values], [numbers], len(values)
        if len(values) == self.n:
            self.least = float(values.min())

    def add(self, values: FloatArray, numbers: IntArray) -> None:
        """Take values above the least that counts, and forget what no longer does."""
        self._values.append(values)
        self._numbers.append(numbers)
        self._held += len(values)
        if self._held > 4 * self.n + 100_000:
            self._prune()

    def add_block(self, scores: FloatArray, first: int, number: int) -> None:
        """Take scores of effects from the ``first`` on with as many and later ones, of ``number``.

        Pair (i, j) has the number ``i * number + j``.
        """
        flat, least = scores.ravel(), self.least
        if not np.isfinite(least) and len(flat) > 4 * self.n:
            least = np.nextafter(np.partition(flat, -self.n)[-self.n], np.float32(-np.inf))
        found = np.flatnonzero(flat > least)
        row, column = np.divmod(found, scores.shape[1])
        self.add(flat[found], (row + first) * number + column + first)

    def _prune(self) -> None:
        values, numbers = np.concatenate(self._values), np.concatenate(self._numbers)
        if len(values) > self.n:
            kept = np.argpartition(values, len(values) - self.n)[len(values) - self.n :]
            values, numbers = values[kept], numbers[kept]
            self.least = float(values.min())
        self._values, self._numbers, self._held = [values], [numbers], len(values)

    def sorted(self) -> tuple[FloatArray, IntArray]:
        """Return values, falling, and their numbers; equal ones by number."""
        self._prune()
        order = np.lexsort((self._numbers[0], -self._values[0]))
        return self._values[0][order], self._numbers[0][order]


def top_singles(scores: FloatArray, n: int) -> IntArray:
    """Return the positions of the n largest scores, the largest first; equal ones in order."""
    best = _Best(n)
    best.add(scores, np.arange(len(scores)))
    return best.sorted()[1]


def top_pairs(
    prepared: FloatArray,
    scorer: Scorer,
    n: int,
    *,
    left_out: BoolArray | None = None,
    kept: Kept | None = None,
    stage: str = "pairs",
    progress: bool = False,
) -> Pairs:
    r"""Rank the sums of all pairs of effects.

    The inner product of a pair with the signature is the sum of both, and its squared norm
    :math:`\lVert\Delta_i\rVert^2 + \lVert\Delta_j\rVert^2 + 2 \langle\Delta_i, \Delta_j\rangle`,
    of which the last is a block of the Gram matrix. The best are scored once more in double
    precision.

    Parameters
    ----------
    prepared
        Effects as :meth:`Scorer.prepare` returns them, ``(n_effects, n_genes)``.
    scorer
        The score.
    n
        Number of pairs to keep.
    left_out
        Pairs of two effects that both have this flag are not ranked, ``(n_effects,)``.
    kept
        Where the best of finished blocks are kept after each block; what is there is not computed
        again.
    stage
        Its name there.
    progress
        Whether to show a progress bar.

    Raises
    ------
    ValueError
        If what is kept was found with other effects.
    """
    along = scorer.along(prepared)
    squares = None if scorer.name == "dot" else np.einsum("ij,ij->i", prepared, prepared)
    number, best = len(along), _Best(n + max(16, n // 100))
    kept, done, probe = kept or Kept(), 0, _probe(prepared, along, left_out)
    if (found := kept.find(stage, probe)) is not None:
        done = int(found["done"])
        best.restore(found["values"], found["numbers"])
    blocks = range(done, number - 1, _BLOCK)
    for first in tqdm(blocks, desc="pairs", disable=not progress, leave=False):
        rows = slice(first, min(first + _BLOCK, number))
        scores = along[rows, None] + along[None, first:]
        if squares is not None:
            scores /= _pair_norms(prepared, squares, rows)
        _leave_out(scores, None if left_out is None else (left_out[rows], left_out[first:]))
        best.add_block(scores, first, number)
        kept.store(stage, probe, done=np.array(rows.stop), **best.state())
    first_of, second_of = np.divmod(best.sorted()[1], number)
    exact = np.concatenate(
        [np.zeros(0)]
        + [
            scorer.exact(prepared[first_of[s : s + _BLOCK]] + prepared[second_of[s : s + _BLOCK]])
            for s in range(0, len(first_of), _BLOCK)
        ]
    )
    order = np.lexsort((second_of, first_of, -exact))[:n]
    return Pairs(first_of[order], second_of[order], exact[order])


def _probe(prepared: FloatArray, along: FloatArray, left_out: BoolArray | None) -> FloatArray:
    """Return effects along the signature and along a random direction, and what is left out."""
    drawn = np.random.default_rng(0).standard_normal((prepared.shape[1],)).astype(np.float32)
    flags = np.zeros(len(along)) if left_out is None else left_out * np.abs(along).max(initial=1.0)
    return np.asarray(np.stack([along, prepared @ drawn, flags]), dtype=np.float32)


def _pair_norms(prepared: FloatArray, squares: FloatArray, rows: slice) -> FloatArray:
    """Return the norms of sums of some effects with themselves and all later ones."""
    norms = product(prepared[rows], prepared[rows.start :].T)
    norms *= 2
    norms += squares[rows, None]
    norms += squares[None, rows.start :]
    np.maximum(norms, _TINY, out=norms)
    return np.sqrt(norms, out=norms)


def _leave_out(scores: FloatArray, flags: tuple[BoolArray, BoolArray] | None) -> None:
    """Set scores of an effect with itself or an earlier one, or of two flagged ones, to −∞."""
    size = len(scores)
    scores[:, :size][np.tril_indices(size)] = -np.inf
    if flags is not None:
        of_rows, of_columns = flags
        scores[np.ix_(of_rows, of_columns)] = -np.inf
