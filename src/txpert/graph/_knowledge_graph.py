from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from . import _ablations, _filters, _refine, _reports, _storage
from ._arrays import EdgeArrays, concatenate
from ._edge_table import Negative, edges_from_table
from ._files import FilePath


class KnowledgeGraph:
    """A named set of directed, weighted edges between genes.

    An edge ``source → target`` lets the target's embedding draw on the source's. Graphs are
    immutable: every filter returns a new one. Self-loops are dropped and of repeated edges the
    heaviest is kept.

    Parameters
    ----------
    name
        What the graph is called in reports, such as ``"go"``.
    nodes
        Gene symbols, each once.
    source, target
        Positions in ``nodes``, shape ``(n_edges,)``.
    weight
        Finite, non-negative weights, shape ``(n_edges,)``.
    provenance
        How the graph came to be, one step per entry; filters add theirs.
    learned_from
        Conditions of a screen, ``"cell line|perturbation"``, whose measured effects made the
        edges; none for a graph from a database. :func:`txpert.pp.check_split` reads it.

    Raises
    ------
    ValueError
        If nodes repeat or are empty, positions lie outside ``nodes``, or a weight is negative,
        NaN or infinite.

    Examples
    --------
    >>> import pandas as pd
    >>> edges = pd.DataFrame({"source": ["JAK2", "IFNGR1"], "target": ["IFNGR1", "STAT1"]})
    >>> graph = KnowledgeGraph.from_edges(edges, name="mine")
    >>> graph
    KnowledgeGraph 'mine': 3 nodes, 2 edges
    >>> graph.restrict(["JAK2", "IFNGR1"]).reverse().provenance
    ('from_edges(2 rows)', 'restrict(2 genes)', 'reverse()')
    """

    def __init__(
        self,
        name: str,
        nodes: Iterable[str],
        source: npt.ArrayLike,
        target: npt.ArrayLike,
        weight: npt.ArrayLike,
        provenance: Iterable[str] = (),
        learned_from: Iterable[str] = (),
    ) -> None:
        self.name = str(name)
        self.nodes = pd.Index(np.asarray(list(nodes), dtype=object), name="gene")
        self.provenance = tuple(str(step) for step in provenance)
        self.learned_from = tuple(str(condition) for condition in learned_from)
        edges = EdgeArrays(
            np.asarray(source, dtype=np.int64),
            np.asarray(target, dtype=np.int64),
            np.asarray(weight, dtype=np.float32),
        )
        self._check(edges)
        self.source, self.target, self.weight = edges.tidy()

    def _check(self, edges: EdgeArrays) -> None:
        if not self.nodes.is_unique:
            repeated = self.nodes[self.nodes.duplicated()][0]
            raise ValueError(f"Graph {self.name!r} names the node {repeated!r} more than once.")
        if not all(isinstance(node, str) and node for node in self.nodes):
            raise ValueError(f"Every node of graph {self.name!r} needs a non-empty gene symbol.")
        source, target, weight = edges
        if not source.shape == target.shape == weight.shape or source.ndim != 1:
            raise ValueError("source, target and weight must be vectors of one length.")
        if len(source) and not (
            min(source.min(), target.min()) >= 0
            and max(source.max(), target.max()) < len(self.nodes)
        ):
            raise ValueError(f"Graph {self.name!r} has an edge to a node that it does not have.")
        bad = np.flatnonzero(~np.isfinite(weight) | (weight < 0))
        if len(bad):
            raise ValueError(
                f"Graph {self.name!r}: the edge {self.nodes[source[bad[0]]]} → "
                f"{self.nodes[target[bad[0]]]} has weight {weight[bad[0]]}; weights must be "
                "finite and not negative."
            )

    @classmethod
    def from_edges(
        cls,
        edges: pd.DataFrame | FilePath,
        *,
        name: str,
        source: str = "source",
        target: str = "target",
        weight: str | None = None,
        directed: bool = True,
        negative: Negative = "raise",
    ) -> KnowledgeGraph:
        """Build a graph from a table with one edge per row.

        Parameters
        ----------
        edges
            A data frame, or the path of a TSV or CSV file (``.gz`` too).
        name
            What the graph is called in reports.
        source, target
            Columns that hold the gene symbols.
        weight
            Column of weights. By default the column ``"weight"`` where there is one, else every
            edge weighs 1.
        directed
            If ``False``, each row stands for an edge in both directions, as in STRING.
        negative
            What to do with negative weights: "raise" an error, take the "absolute" value or
            "drop" the edges.

        Raises
        ------
        KeyError
            If a column is missing.
        ValueError
            If a symbol is missing, or a weight is not a finite, non-negative number.
        """
        nodes, arrays = edges_from_table(
            edges,
            where=f"the edges of graph {name!r}",
            source=source,
            target=target,
            weight=weight,
            negative=negative,
        )
        told = f"{len(edges)} rows" if isinstance(edges, pd.DataFrame) else repr(str(edges))
        if not directed:
            arrays = concatenate([arrays, EdgeArrays(arrays.target, arrays.source, arrays.weight)])
        return cls(name, nodes, *arrays, provenance=[f"from_edges({told})"])

    @property
    def n_nodes(self) -> int:
        """Number of genes, isolated ones included."""
        return len(self.nodes)

    @property
    def n_edges(self) -> int:
        """Number of directed edges."""
        return len(self.source)

    @property
    def arrays(self) -> EdgeArrays:
        """Source and target positions and weights, sorted by target."""
        return EdgeArrays(self.source, self.target, self.weight)

    @property
    def edges(self) -> pd.DataFrame:
        """Edge table with the columns source, target and weight, sorted by target."""
        return pd.DataFrame(
            {
                "source": self.nodes.to_numpy()[self.source],
                "target": self.nodes.to_numpy()[self.target],
                "weight": self.weight,
            }
        )

    top_k = _filters.top_k
    top_fraction = _filters.top_fraction
    threshold = _filters.threshold
    restrict = _filters.restrict
    match = _filters.match
    reverse = _filters.reverse
    normalize = _filters.normalize
    refine = _refine.refine
    rewire = _ablations.rewire
    drop = _ablations.drop
    coverage = _reports.coverage
    summary = _reports.summary
    save = _storage.save

    @classmethod
    def load(cls, path: FilePath) -> KnowledgeGraph:
        """Read a graph that :meth:`save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged or holds something else.
        """
        return _storage.load(path, cls.from_dict)

    def derive(
        self, edges: EdgeArrays, step: str, *, nodes: Iterable[str] | None = None
    ) -> KnowledgeGraph:
        """Return a graph of the same name with other edges, and ``step`` added to its history."""
        nodes = self.nodes if nodes is None else nodes
        history = (*self.provenance, step)
        return KnowledgeGraph(self.name, nodes, *edges, history, self.learned_from)

    def to_dict(self) -> dict[str, Any]:
        """Return the graph as a dictionary of a string and plain arrays."""
        return {
            "name": self.name,
            "nodes": self.nodes.to_numpy(dtype=str),
            "source": self.source,
            "target": self.target,
            "weight": self.weight,
            "provenance": np.array(self.provenance, dtype=str),
            "learned_from": np.array(self.learned_from, dtype=str),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> KnowledgeGraph:
        """Rebuild a graph from what :meth:`to_dict` returned."""
        nodes = (str(node) for node in state["nodes"])
        edges = (state["source"], state["target"], state["weight"])
        origin = (state.get("provenance", ()), state.get("learned_from", ()))
        return cls(str(state["name"]), nodes, *edges, *origin)

    def __eq__(self, other: object) -> bool:
        """Compare names, nodes and edges; histories may differ."""
        return (
            isinstance(other, KnowledgeGraph)
            and self.name == other.name
            and self.nodes.equals(other.nodes)
            and np.array_equal(self.source, other.source)
            and np.array_equal(self.target, other.target)
            and np.array_equal(self.weight, other.weight)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"KnowledgeGraph {self.name!r}: {self.n_nodes:,} nodes, {self.n_edges:,} edges"
