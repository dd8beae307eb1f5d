"""Edge sets as three vectors, which graphs and their builders share; valid edges of a graph."""

from __future__ import annotations

from collections.abc import Callable
from mmap import mmap
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from txpert._computed import computed
from txpert._options import check_whole
from txpert._types import FloatArray, IntArray

Positions = IntArray
Weights = FloatArray


class EdgeArrays(NamedTuple):
    """Edges between numbered nodes: positions of source and target, and weights."""

    source: Positions
    target: Positions
    weight: Weights

    @classmethod
    def checked(
        cls,
        source: npt.ArrayLike,
        target: npt.ArrayLike,
        weight: npt.ArrayLike,
        *,
        nodes: pd.Index,
        graph: str,
    ) -> EdgeArrays:
        """Return the edges of a graph: valid, tidy, read-only and in memory of their own.

        Arrays that nobody can write into are shared, all others copied.

        Parameters
        ----------
        source, target
            Positions in ``nodes``, shape ``(n_edges,)``.
        weight
            Weights, shape ``(n_edges,)``.
        nodes
            Names of the nodes.
        graph
            Name of the graph, for messages.

        Raises
        ------
        ValueError
            If positions are not whole or lie outside ``nodes``, a weight is negative, NaN,
            infinite or complex, or lengths differ.
        """
        if np.iscomplexobj(weight):
            raise ValueError(f"Graph {graph!r} has complex weights; take their np.abs.")
        given = cls(np.asarray(source), np.asarray(target), np.asarray(weight))
        edges = cls(
            _positions("source", given.source),
            _positions("target", given.target),
            given.weight.astype(np.float32, copy=False),
        )
        edges._check(nodes, graph)
        return cls(*map(_own, edges.tidy(), given))

    def _check(self, nodes: pd.Index, graph: str) -> None:
        source, target, weight = self
        if not source.shape == target.shape == weight.shape or source.ndim != 1:
            raise ValueError("source, target and weight must be vectors of one length.")
        if len(source) and not (
            min(source.min(), target.min()) >= 0 and max(source.max(), target.max()) < len(nodes)
        ):
            raise ValueError(f"Graph {graph!r} has an edge to a node that it does not have.")
        bad = np.flatnonzero(~np.isfinite(weight) | (weight < 0))
        if len(bad):
            raise ValueError(
                f"Graph {graph!r}: the edge {nodes[source[bad[0]]]} → {nodes[target[bad[0]]]} has "
                f"weight {weight[bad[0]]}; weights must be finite and not negative."
            )

    def take(self, chosen: npt.NDArray[Any]) -> EdgeArrays:
        """Return the edges at these positions, or where a mask is true."""
        return EdgeArrays(self.source[chosen], self.target[chosen], self.weight[chosen])

    def tidy(self) -> EdgeArrays:
        """Drop self-loops, keep the heaviest of repeated edges, sort by target then source."""
        if self._is_tidy():
            return self
        order = np.lexsort((-self.weight, self.source, self.target))
        edges = self.take(order[self.source[order] != self.target[order]])
        first = np.ones(len(edges.source), dtype=bool)
        first[1:] = (np.diff(edges.source) != 0) | (np.diff(edges.target) != 0)
        return edges.take(first)

    def _is_tidy(self) -> bool:
        """Say whether no edge is a self-loop and each comes after the one before."""
        further = np.diff(self.target)
        next_source = (further == 0) & (np.diff(self.source) > 0)
        return bool(((further > 0) | next_source).all() and (self.source != self.target).all())

    def top_k(self, k: int) -> EdgeArrays:
        """Keep the ``k`` heaviest edges into every target; of ties, the first sources.

        They stay in the order in which they are.
        """
        check_whole("k", k, least=1)
        kept = np.bincount(self.target)[self.target] <= k
        many = np.flatnonzero(~kept)
        if not len(many):
            return self
        some = self.take(many)
        if not some._is_tidy():
            order = np.lexsort((some.source, some.target))
            many, some = many[order], some.take(order)
        first = np.flatnonzero(np.diff(some.target, prepend=-1))
        number = np.diff(first, append=len(many))
        least = [np.partition(w, -k)[-k] for w in np.split(some.weight, first[1:])]
        lightest = np.repeat(np.array(least), number)
        above, tied = some.weight > lightest, some.weight == lightest
        room = k - np.add.reduceat(above, first, dtype=np.int64)
        before = np.cumsum(tied) - tied
        rank = before - np.repeat(before[first], number)
        kept[many[above | (tied & (rank < np.repeat(room, number)))]] = True
        return self.take(kept)

    def reverse(self) -> EdgeArrays:
        """Return every edge in the other direction."""
        return EdgeArrays(self.target, self.source, self.weight)

    def renumber(self, position: Positions) -> EdgeArrays:
        """Return the edges between other positions of the nodes; -1 drops a node and its edges."""
        edges = EdgeArrays(position[self.source], position[self.target], self.weight)
        return edges.take((edges.source >= 0) & (edges.target >= 0))

    def degrees(self, n_nodes: int) -> tuple[Positions, Positions]:
        """Return the number of incoming and of outgoing edges of each node."""
        return (
            np.bincount(self.target, minlength=n_nodes),
            np.bincount(self.source, minlength=n_nodes),
        )


def computed_edges(kind: str, key: str, build: Callable[[], EdgeArrays]) -> EdgeArrays:
    """Return edges from the cache folder, else build and keep them (:func:`computed`)."""
    found = computed(kind, key, lambda: build()._asdict())
    freeze(*found.values())
    return EdgeArrays(found["source"], found["target"], found["weight"])


def concatenate(parts: list[EdgeArrays]) -> EdgeArrays:
    """Concatenate edge sets over the same nodes, repeated edges included."""
    if not parts:
        empty = np.empty(0, dtype=np.int64)
        return EdgeArrays(empty, empty, np.empty(0, dtype=np.float32))
    return EdgeArrays(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def freeze(*arrays: npt.NDArray[Any]) -> None:
    """Make arrays read-only that nobody else holds, and what they are views of.

    A graph then shares them instead of copying.
    """
    for array in arrays:
        part: object = array
        while isinstance(part, np.ndarray):
            part.flags.writeable = False
            part = part.base


def _own(array: npt.NDArray[Any], given: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a read-only array; a copy if someone else could write into it."""
    is_new = array.base is None and array is not given
    if not is_new and not _is_constant(array):
        array = array.copy()
    array.flags.writeable = False
    return array


def _is_constant(array: npt.NDArray[Any]) -> bool:
    """Return whether neither the array nor what it is a view of can be written into."""
    part: object = array
    while isinstance(part, np.ndarray):
        if part.flags.writeable:
            return False
        part = part.base
    return part is None or isinstance(part, (bytes, mmap))


def _positions(name: str, given: npt.NDArray[Any]) -> Positions:
    """Return positions of nodes; refuse those that are not whole."""
    with np.errstate(invalid="ignore"):
        positions = given.astype(np.int64, copy=False)
    if given.dtype.kind in "fcO" and (positions != given).any():
        raise ValueError(f"{name} holds {given[positions != given][0]}, not a node's position.")
    return positions
