"""``explain()``: the contributions that a prediction is the sum of."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from itertools import pairwise
from threading import RLock
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from txpert._constants import BATCH, CELL_LINE, COMBINATION, MODALITY, N_CELLS, PERTURBATION
from txpert._types import FloatArray, IntArray
from txpert.data._controls import ControlProfiles, Matching
from txpert.data._tokens import encode_targets, parse_targets
from txpert.effects._contributions import Contributions, training_effects
from txpert.effects._line_effects import contexts_of
from txpert.graph import KnowledgeGraph

from ._components import GAUSSIAN_PROCESS
from ._ensemble import Ensemble
from ._terms import coefficients, component_deltas

By = Literal["perturbation", "part", "cell_line"]
TARGET = "target"
MEAN_EFFECT = "mean effect"


class ExplanationMixin:
    """Takes predictions apart."""

    graphs: list[KnowledgeGraph]
    nodes: pd.Index
    matching: Matching
    ensemble_: dict[str, Any] | None
    _lock: RLock
    _check_if_trained: Callable[..., None]

    @property
    @abstractmethod
    def control_profiles(self) -> ControlProfiles:
        """Mean control profile of each context the model can predict from."""

    @abstractmethod
    def _ensemble(self) -> Ensemble:
        """Return the components and weights."""

    def explain(
        self,
        perturbation: str,
        *,
        cell_line: str | None = None,
        by: By = "perturbation",
    ) -> pd.DataFrame:
        r"""Take a predicted Δ apart into what it is the sum of.

        The Gaussian process is linear in the training effects: what each training perturbation,
        each kernel of a graph and each cell line adds is exact. Other components, such as the
        network, are one term each.

        Parameters
        ----------
        perturbation
            A label.
        cell_line
            Where it is predicted; by default the line of the model, if there is one only.
        by
            One row per training ``"perturbation"`` (in each cell line), per ``"part"`` (kernel,
            own part, mean effect, other component), or per ``"cell_line"`` of training.

        Returns
        -------
        A row per contribution, the largest first. ``component`` and ``part`` say what it comes
        from, and ``contribution`` is its projection on the direction of the predicted Δ: the
        column sums to the norm of Δ, in ``attrs["norm"]``. ``norm`` is its own norm.

        By perturbation there are, for training effects (``part`` "training effect"), also the
        ``weight`` of the perturbation's deviation from the mean effect; ``if_removed``, the norm
        of the change of Δ if it had not been measured (exact, at the same variances and weights
        of components); ``effect_norm``, the norm of its measured Δ; its heaviest edge with a
        target, ``edge_weight`` in ``graph``; and the ``kernel`` that most of its contribution
        goes through.

        Raises
        ------
        KeyError
            If a target is no node of the model, or the cell line has no controls.
        ValueError
            If the label is malformed or names no target, the Gaussian process is no component,
            ``by`` is unknown, or several cell lines leave the choice open.

        Examples
        --------
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> tx.TxPertModel.setup_anndata(adata)
        >>> parts = ("mean", "gaussian_process")
        >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=parts)
        >>> model.train()
        >>> why = model.explain("GENE20")
        >>> bool(abs(why["contribution"].sum() - why.attrs["norm"]) < 1e-3)
        True
        """
        if by not in get_args(By):
            raise ValueError(f"by must be one of {', '.join(get_args(By))}, not {by!r}.")
        self._check_if_trained(warn=True)
        if self.ensemble_ is None or self._ensemble().process is None:
            raise ValueError(
                f"Only a model with the component {GAUSSIAN_PROCESS!r} explains its predictions."
            )
        if not parse_targets(perturbation):
            raise ValueError(f"{perturbation!r} names no target: nothing is predicted of it.")
        profiles = self.control_profiles.pooled(self.matching)
        obs, context = profiles.conditions(one_context(profiles, perturbation, cell_line))
        encode_targets(obs[PERTURBATION].unique(), self.nodes)
        with self._lock:
            taken = _Parts(self._ensemble(), obs, profiles, context)
        frame = taken.by_row(self.graphs) if by == "perturbation" else taken.by_group(by)
        frame = frame.sort_values("contribution", ascending=False, key=abs, ignore_index=True)
        frame.attrs |= {
            PERTURBATION: obs[PERTURBATION].iloc[0],
            CELL_LINE: obs[CELL_LINE].iloc[0],
            "norm": float(np.linalg.norm(taken.delta)),
        }
        return frame


def one_context(
    profiles: ControlProfiles, perturbation: str, cell_line: str | None
) -> pd.DataFrame:
    """Return the condition of a perturbation in a line, in its batch with the most controls.

    Raises
    ------
    KeyError
        If the line has no controls.
    ValueError
        If there are several lines and none was named.
    """
    lines = profiles.obs[CELL_LINE].astype(str)
    if cell_line is None and lines.nunique() > 1:
        raise ValueError(f"Name the cell_line, one of {', '.join(sorted(lines.unique()))}.")
    line = lines.iloc[0] if cell_line is None else cell_line
    if line not in set(lines):
        known = ", ".join(sorted(lines.unique()))
        raise KeyError(f"There are no controls of cell line {line!r}, only of {known}.")
    of_line = profiles.obs[(lines == line).to_numpy()]
    batch = of_line[BATCH].astype(str).iloc[int(of_line[N_CELLS].to_numpy().argmax())]
    return pd.DataFrame({PERTURBATION: [perturbation], CELL_LINE: [line], BATCH: [batch]})


class _Parts:
    """One prediction, taken apart."""

    def __init__(
        self, ensemble: Ensemble, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> None:
        process = ensemble.process
        assert process is not None
        self.targets = parse_targets(str(obs[PERTURBATION].iloc[0]))
        kind = str(ensemble.kinds(obs)[0])
        factors = {n: c for n, c in coefficients(ensemble, kind).items() if c}
        deltas = component_deltas(ensemble, set(factors), obs, profiles, context)
        self.factor = factors.pop(GAUSSIAN_PROCESS, 0.0)
        self.taken = Contributions.of(
            process.process, process.kernels, self.targets, contexts_of(obs)[0]
        )
        self.rows = process.process.rows
        self.measured = training_effects(process.process, process.kernels)
        self.terms: dict[tuple[str, str], FloatArray] = {
            (n, n): factor * deltas[n][0] for n, factor in factors.items()
        }
        if self.factor:
            self.terms[GAUSSIAN_PROCESS, MEAN_EFFECT] = self.factor * self.taken.mean
        row, column, change = ensemble.target.entries(obs, profiles, context)
        if len(row):
            own = np.zeros(self.measured.shape[1], dtype=np.float32)
            own[column] = change
            self.terms[TARGET, TARGET] = own
        from_rows = self.factor * self.taken.effect(self.taken.weights.sum(axis=1))
        self.delta = from_rows + sum(self.terms.values())
        norm = np.linalg.norm(self.delta)
        self.direction = self.delta / norm if norm else self.delta
        self.along = self.factor * self.taken.along(self.direction)

    def others(self) -> pd.DataFrame:
        """Return the terms that are no training effects."""
        frame = pd.DataFrame([*self.terms], columns=["component", "part"])
        values = [*self.terms.values()]
        frame["contribution"] = [float(term @ self.direction) for term in values]
        frame["norm"] = [float(np.linalg.norm(term)) for term in values]
        return frame

    def by_row(self, graphs: list[KnowledgeGraph]) -> pd.DataFrame:
        """Return one row per training effect, and the other terms."""
        if not self.factor:
            return self.others()
        members, contexts = self.rows.members, self.rows.contexts.contexts
        names = [
            self.rows.targets[members.indices[a:b]].tolist() for a, b in pairwise(members.indptr)
        ]
        where = [contexts[c] for c in self.rows.context]
        frame = pd.DataFrame(
            {
                "component": GAUSSIAN_PROCESS,
                "part": "training effect",
                PERTURBATION: [COMBINATION.join(sorted(of)) for of in names],
                CELL_LINE: [context.cell_line for context in where],
                MODALITY: [context.modality for context in where],
                "contribution": self.along.sum(axis=0),
                "norm": self.factor * self.taken.norms,
                "weight": self.factor * self.taken.mean_weights,
                "if_removed": self.factor * self.taken.if_removed,
                "effect_norm": np.linalg.norm(self.measured, axis=1),
            }
        )
        partners = _edges(graphs, self.targets)
        best = [max((partners[g] for g in of if g in partners), default=None) for of in names]
        frame["graph"] = [None if edge is None else edge[1] for edge in best]
        frame["edge_weight"] = [np.nan if edge is None else edge[2] for edge in best]
        frame["kernel"] = np.array(self.taken.parts)[np.abs(self.along).argmax(axis=0)]
        return pd.concat([frame, self.others()], ignore_index=True)

    def by_group(self, by: By) -> pd.DataFrame:
        """Return one row per kernel or cell line, and the other terms."""
        if not self.factor:
            return self.others()
        contexts = self.rows.contexts.contexts
        lines = np.array([contexts[c].cell_line for c in self.rows.context])
        found = []
        if by == "part":
            for k, part in enumerate(self.taken.parts):
                weights = self.factor * self.taken.weights[:, k]
                found.append((part, None, weights, self.along[k].sum()))
        else:
            for line in np.unique(lines):
                inside = lines == line
                weights = self.factor * self.taken.weights.sum(axis=1) * inside
                found.append(("training effects", line, weights, self.along[:, inside].sum()))
        frame = pd.DataFrame(
            {
                "component": GAUSSIAN_PROCESS,
                "part": [part for part, *_ in found],
                CELL_LINE: [line for _, line, *_ in found],
                "contribution": [float(value) for *_, value in found],
                "norm": [float(np.linalg.norm(self.taken.effect(w))) for _, _, w, _ in found],
            }
        )
        frame = frame if by == "cell_line" else frame.drop(columns=CELL_LINE)
        return pd.concat([frame, self.others()], ignore_index=True)


def _edges(
    graphs: list[KnowledgeGraph], targets: tuple[str, ...]
) -> dict[str, tuple[float, str, float]]:
    """Return each neighbor's heaviest edge with a target: relative weight, graph and weight."""
    found: dict[str, tuple[float, str, float]] = {}
    for graph in graphs:
        if not graph.n_edges:
            continue
        at = graph.nodes.get_indexer(pd.Index(targets, dtype=object))
        heaviest = float(graph.weight.max())
        for here, there in ((graph.source, graph.target), (graph.target, graph.source)):
            for edge in np.flatnonzero(np.isin(here, at[at >= 0])):
                weight = float(graph.weight[edge])
                entry = weight / heaviest, graph.name, weight
                gene = str(graph.nodes[there[edge]])
                found[gene] = max(found.get(gene, entry), entry)
    return found
