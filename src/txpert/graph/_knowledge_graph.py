"""The class of all knowledge graphs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from txpert._options import check_names, check_number, check_seed, check_whole

from ._ablations import dropped, rewired
from ._arrays import EdgeArrays, freeze
from ._edge_table import Negative, edges_from_table
from ._files import FilePath
from ._filters import heaviest, normalized, refined
from ._names import checked_nodes, match_names
from ._statistics import summarize
from ._storage import from_fields, load_fields, save_fields, to_fields


class KnowledgeGraph:
    """A named set of directed, weighted edges between genes.

    An edge ``source → target`` lets the target's embedding draw on the source's. Graphs are
    immutable: every filter returns a new one, and the arrays are read-only. Self-loops are
    dropped and of repeated edges the heaviest is kept.

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
        If nodes repeat or are empty, positions are not whole or lie outside ``nodes``, or a weight
        is negative, NaN, infinite or complex.

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
        self.nodes = checked_nodes(nodes, self.name)
        self.provenance = tuple(map(str, check_names("provenance", provenance)))
        self.learned_from = tuple(map(str, check_names("learned_from", learned_from)))
        self.source, self.target, self.weight = EdgeArrays.checked(
            source, target, weight, nodes=self.nodes, graph=self.name
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
        genes: Iterable[str] | None = None,
        min_weight: float | None = None,
        k: int | None = None,
    ) -> KnowledgeGraph:
        """Build a graph from a table with one edge per row.

        Parameters
        ----------
        edges
            A data frame, or the path of a TSV or CSV file (``.gz`` too).
        name
            What the graph is called in reports.
        source, target
            Columns that hold the gene symbols; spaces around them are removed.
        weight
            Column of weights. By default the column ``"weight"`` where there is one, else every
            edge weighs 1.
        directed
            If ``False``, each row stands for an edge in both directions, as in STRING.
        negative
            What to do with negative weights: "raise" an error, take the "absolute" value or
            "drop" the edges.
        genes
            Genes to connect, by symbol, alias, Ensembl or Entrez id; all by default.
        min_weight
            Edges that weigh less are dropped; by default none.
        k
            Incoming edges to keep per target, the heaviest; ``None`` for all.

        Raises
        ------
        KeyError
            If a column is missing.
        ValueError
            If a symbol is missing (text such as "nan" counts), a weight is not a finite,
            non-negative number, or none of ``genes`` is there.

        Examples
        --------
        >>> import pandas as pd
        >>> import txpert as tx
        >>> table = pd.DataFrame({"a": ["JAK2"] * 2, "b": ["STAT1", "STAT3"], "score": [900, 400]})
        >>> graph = tx.graph.KnowledgeGraph.from_edges(
        ...     table, name="mine", source="a", target="b", weight="score", directed=False
        ... )
        >>> graph
        KnowledgeGraph 'mine': 3 nodes, 4 edges
        """
        check_whole("k", k, least=1, optional=True)
        check_number("min_weight", min_weight, optional=True)
        nodes, arrays, step = edges_from_table(
            edges,
            where=f"the edges of graph {name!r}",
            source=source,
            target=target,
            weight=weight,
            directed=directed,
            negative=negative,
        )
        graph = cls(name, nodes, *arrays, provenance=[step])
        graph = graph if min_weight is None else graph.threshold(min_weight)
        graph = graph if genes is None else graph.match(genes)
        return graph if k is None else graph.top_k(k)

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

    def top_k(self, k: int = 20) -> KnowledgeGraph:
        """Keep the ``k`` heaviest incoming edges of every target (paper: ``k = 20``).

        Of edges that weigh the same, those whose source stands first in ``nodes`` are kept.

        Examples
        --------
        >>> import txpert as tx
        >>> graph = tx.datasets.toy_graph()
        >>> graph.n_edges, graph.top_k(2).n_edges
        (287, 120)
        """
        return self.derive(self.arrays.top_k(k), f"top_k(k={k})")

    def top_fraction(self, fraction: float) -> KnowledgeGraph:
        """Keep this fraction of all edges, the heaviest; the number is rounded.

        Of edges that weigh the same, those first in ``edges`` are kept.

        Examples
        --------
        >>> import txpert as tx
        >>> graph = tx.datasets.toy_graph()
        >>> graph.n_edges, graph.top_fraction(0.1).n_edges
        (287, 29)
        """
        return self.derive(heaviest(self.arrays, fraction), f"top_fraction(fraction={fraction})")

    def threshold(self, minimum: float) -> KnowledgeGraph:
        """Keep the edges that weigh at least ``minimum``.

        Examples
        --------
        >>> import txpert as tx
        >>> graph = tx.datasets.toy_graph()
        >>> bool(graph.threshold(0.5).weight.min() >= 0.5)
        True
        """
        check_number("minimum", minimum)
        heavy = self.weight >= np.float32(minimum)
        return self.derive(self.arrays.take(heavy), f"threshold(minimum={minimum})")

    def restrict(self, genes: Iterable[str]) -> KnowledgeGraph:
        """Keep the nodes that are among ``genes``, by exact name, and the edges between them.

        Examples
        --------
        >>> import txpert as tx
        >>> graph = tx.datasets.toy_graph()
        >>> graph.restrict(["GENE1", "GENE2", "GENE3"]).nodes.to_list()
        ['GENE1', 'GENE2', 'GENE3']
        """
        wanted = check_names("genes", genes)
        keep = self.nodes.isin(wanted)
        edges = self.arrays.renumber(np.where(keep, np.cumsum(keep) - 1, -1))
        return self.derive(edges, f"restrict({len(wanted)} genes)", nodes=self.nodes[keep])

    def match(self, genes: Iterable[str]) -> KnowledgeGraph:
        """Restrict to ``genes``, whichever names either side uses, and adopt their names.

        A gene whose name is not a node is looked up by :func:`~txpert.graph.map_genes`: the
        symbols of an old graph meet those of a new screen, and the other way round.

        Raises
        ------
        ValueError
            If none of the genes is in the graph.

        Examples
        --------
        >>> import txpert as tx
        >>> graph = tx.graph.go(["JAK2", "STAT1"], k=1)
        >>> graph.match(["ENSG00000096968", "ENSG00000115415"]).nodes.to_list()
        ['ENSG00000096968', 'ENSG00000115415']
        """
        found = match_names(self.nodes, genes)
        position = np.full(self.n_nodes, -1)
        position[found.to_numpy()] = np.arange(len(found))
        step = f"match({len(found)} genes found)"
        return self.derive(self.arrays.renumber(position), step, nodes=found.index)

    def rename(self, names: Mapping[str, str]) -> KnowledgeGraph:
        """Give nodes other names.

        Parameters
        ----------
        names
            New names by old ones; nodes that are not among them keep theirs.

        Raises
        ------
        ValueError
            If two nodes would have one name.
        TypeError
            If the names are no dictionary.

        Examples
        --------
        >>> import txpert as tx
        >>> graph = tx.graph.go(["RARS1", "DARS1"], k=1)
        >>> graph.rename({"RARS1": "RARS"}).nodes.to_list()
        ['RARS', 'DARS1']
        """
        if not isinstance(names, Mapping):
            raise TypeError(f"names must be a dictionary of new names by old ones, not {names!r}.")
        nodes = [names.get(node, node) for node in self.nodes]
        return self.derive(self.arrays, f"rename({len(names)} genes)", nodes=nodes)

    def reverse(self) -> KnowledgeGraph:
        """Reverse the direction of every edge.

        Examples
        --------
        >>> import pandas as pd
        >>> import txpert as tx
        >>> table = pd.DataFrame({"source": ["JAK2"], "target": ["STAT1"]})
        >>> graph = tx.graph.KnowledgeGraph.from_edges(table, name="mine")
        >>> graph.reverse().edges["target"].to_list()
        ['JAK2']
        """
        return self.derive(self.arrays.reverse(), "reverse()")

    def normalize(self, how: Literal["max", "target", "symmetric"] = "max") -> KnowledgeGraph:
        """Rescale the weights.

        Parameters
        ----------
        how
            "max": the heaviest edge weighs 1. "target": the edges into each target sum to 1.
            "symmetric": wᵢⱼ / √(outᵢ · inⱼ), with the summed weights out of the source and into
            the target, as in a graph convolution. Edges that weigh nothing stay so.

        Examples
        --------
        >>> import txpert as tx
        >>> graph = tx.datasets.toy_graph()
        >>> graph.normalize("target").edges.groupby("target")["weight"].sum().round(3).unique()
        array([1.], dtype=float32)
        """
        edges = normalized(self.arrays, self.n_nodes, how)
        return self.derive(edges, f"normalize(how={how!r})")

    def refine(self) -> KnowledgeGraph:
        r"""Weight edges by the neighbors that their ends share, and add likely ones.

        .. math:: w_{ij} = c_{ij}\,\big(A_{ij} + 0.3\, B_{ij}\big), \qquad
                  c_{ij} = \frac{\langle a_i, a_j \rangle}{\lVert a_i \rVert \lVert a_j \rVert}.

        :math:`A_{ij}` is 1 for an edge :math:`j \to i`, and :math:`a_i` is row i of A + I: the
        sources of i, and i itself. :math:`B_{ij}` is 1 if j is among the k nodes most similar to
        i by c, with k the mean number of edges into nodes that have any; nodes as similar to i as
        the next one after these are left out. The weights that the graph had are not used.

        Databases lack interactions and have wrong ones. Ends of a true edge tend to have neighbors
        in common, those of a wrong one by chance only (Goldberg and Roth 2003,
        doi 10.1073/pnas.0735871100), and pairs with many in common are often missing edges (Lü and
        Zhou 2011, doi 10.1016/j.physa.2010.11.027).

        Examples
        --------
        >>> import txpert as tx
        >>> graph = tx.datasets.toy_graph()
        >>> graph.n_edges, graph.refine().n_edges
        (287, 419)
        """
        return self.derive(refined(self.arrays, self.n_nodes), "refine()")

    def drop(self, fraction: float, *, seed: int = 0) -> KnowledgeGraph:
        """Remove exactly ``round(fraction * n_edges)`` edges, drawn at random; all nodes stay.

        Examples
        --------
        >>> import txpert as tx
        >>> graph = tx.datasets.toy_graph()
        >>> graph.n_edges, graph.drop(0.5).n_edges
        (287, 143)
        """
        check_seed(seed)
        step = f"drop(fraction={fraction}, seed={seed})"
        return self.derive(dropped(self.arrays, fraction, seed), step)

    def rewire(
        self,
        fraction: float,
        *,
        which: Literal["source", "target", "both"] = "both",
        seed: int = 0,
    ) -> KnowledgeGraph:
        """Give exactly ``round(fraction * n_edges)`` edges, drawn at random, new random ends.

        A rewired edge is no edge of the original graph, no self-loop and no repetition, and keeps
        its weight. So the number of edges stays the same and the fraction rewired is exact.

        Parameters
        ----------
        fraction
            Fraction of the edges to rewire, from 0 to 1.
        which
            "source": the in-degree of every node stays; "target": the out-degree of every node
            stays; "both": only the number of edges does.
        seed
            Seed of the random draw.

        Raises
        ------
        ValueError
            If the graph is so dense that there are no such edges.

        Examples
        --------
        >>> import txpert as tx
        >>> graph = tx.datasets.toy_graph()
        >>> random = graph.rewire(1.0, seed=1)
        >>> random.n_edges == graph.n_edges, random == graph
        (True, False)
        """
        check_seed(seed)
        step = f"rewire(fraction={fraction}, which={which!r}, seed={seed})"
        edges = rewired(self.arrays, self.nodes, fraction, which=which, seed=seed, name=self.name)
        return self.derive(edges, step)

    def coverage(self, genes: Iterable[str]) -> pd.DataFrame:
        """Report how well the graph covers a set of genes.

        Returns
        -------
        One row per gene, in the order given: ``in_graph`` (bool), ``n_incoming`` and
        ``n_outgoing`` edges. A gene with no incoming edge learns nothing from the graph.

        Examples
        --------
        >>> import txpert as tx
        >>> graph = tx.datasets.toy_graph()
        >>> graph.coverage(["GENE1", "TP53"])["in_graph"].to_dict()
        {'GENE1': True, 'TP53': False}
        """
        wanted = pd.Index(dict.fromkeys(check_names("genes", genes)), name="gene")
        incoming, outgoing = self.arrays.degrees(self.n_nodes)
        degrees = pd.DataFrame({"n_incoming": incoming, "n_outgoing": outgoing}, index=self.nodes)
        report = degrees.reindex(wanted, fill_value=0)
        report.insert(0, "in_graph", wanted.isin(self.nodes))
        return report

    def summary(self) -> pd.Series:
        """Count nodes and edges and describe degrees and weights.

        Returns
        -------
        ``n_nodes``, ``n_isolated``, ``n_edges``, ``density`` (fraction of all ordered pairs),
        ``reciprocity`` (fraction of edges whose reverse is one too), then mean, median and
        maximum of the ``in_degree`` and ``out_degree`` over nodes and of the ``weight`` over
        edges.

        Examples
        --------
        >>> import txpert as tx
        >>> graph = tx.datasets.toy_graph()
        >>> graph.summary()[["n_nodes", "n_edges"]].to_dict()
        {'n_nodes': 60.0, 'n_edges': 287.0}
        """
        return pd.Series(summarize(self.arrays, self.n_nodes), name=self.name)

    def save(self, path: FilePath) -> None:
        """Write the graph, its name and history to one compressed NumPy file, ``.npz`` by custom.

        The file holds no pickles. An older file of that name stays whole if writing fails.

        Examples
        --------
        >>> import tempfile
        >>> import txpert as tx
        >>> graph = tx.datasets.toy_graph()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     graph.save(f"{folder}/toy.npz")
        ...     tx.graph.KnowledgeGraph.load(f"{folder}/toy.npz") == graph
        True
        """
        save_fields(self.to_dict(), path)

    @classmethod
    def load(cls, path: FilePath) -> KnowledgeGraph:
        """Read a graph that :meth:`save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged or holds something else.

        Examples
        --------
        >>> import tempfile
        >>> import txpert as tx
        >>> graph = tx.datasets.toy_graph()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     graph.save(f"{folder}/toy.npz")
        ...     loaded = tx.graph.KnowledgeGraph.load(f"{folder}/toy.npz")
        >>> loaded.name
        'toy'
        """
        return load_fields(path, cls.from_dict)

    def derive(
        self, edges: EdgeArrays, step: str, *, nodes: Iterable[str] | None = None
    ) -> KnowledgeGraph:
        """Return a graph of the same name with other edges, and ``step`` added to its history.

        Examples
        --------
        >>> import txpert as tx
        >>> graph = tx.datasets.toy_graph()
        >>> graph.derive(graph.arrays.top_k(1), "one edge into each gene").provenance[-1]
        'one edge into each gene'
        """
        nodes = self.nodes if nodes is None else nodes
        history = (*self.provenance, step)
        return KnowledgeGraph(self.name, nodes, *edges, history, self.learned_from)

    def to_dict(self) -> dict[str, Any]:
        """Return the graph as a dictionary of a string and plain arrays.

        Examples
        --------
        >>> import txpert as tx
        >>> graph = tx.datasets.toy_graph()
        >>> sorted(graph.to_dict())
        ['learned_from', 'name', 'nodes', 'provenance', 'source', 'target', 'weight']
        """
        return to_fields(self.name, self.nodes, self.arrays, self.provenance, self.learned_from)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> KnowledgeGraph:
        """Rebuild a graph from what :meth:`to_dict` returned.

        Raises
        ------
        KeyError
            If a part of the graph is missing.
        TypeError
            If it is no dictionary.

        Examples
        --------
        >>> import txpert as tx
        >>> graph = tx.datasets.toy_graph()
        >>> tx.graph.KnowledgeGraph.from_dict(graph.to_dict()) == graph
        True
        """
        return cls(**from_fields(state))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a pickled or copied graph; NumPy gives arrays back that can be written into."""
        self.__dict__.update(state)
        freeze(*self.arrays)

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
