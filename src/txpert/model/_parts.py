"""One prediction, taken apart into the terms that it is the sum of."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from txpert._constants import CELL_LINE, COMBINATION, MODALITY, PERTURBATION
from txpert._types import FloatArray, IntArray
from txpert.data._controls import ControlProfiles
from txpert.data._tokens import parse_targets
from txpert.effects._contributions import Contributions, training_effects
from txpert.effects._line_effects import contexts_of
from txpert.graph import KnowledgeGraph

from ._component import GAUSSIAN_PROCESS
from ._ensemble import Ensemble
from ._terms import coefficients, component_deltas

By = Literal["perturbation", "part", "cell_line", "edge"]
TARGET = "target"
CALIBRATION = "calibration"
MEAN_EFFECT = "mean effect"


class Parts:
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
        from_rows = self.factor * self.taken.effect(self.taken.weights.sum(axis=1))
        self.delta = from_rows + sum(self.terms.values())
        calibrated = self.delta[None].copy()
        ensemble.calibrate(calibrated, obs, np.array([kind]))
        if (calibrated[0] != self.delta).any():
            self._add(CALIBRATION, calibrated[0] - self.delta)
        row, column, change = ensemble.target.entries(obs, profiles, context)
        if len(row):
            own = np.zeros(self.measured.shape[1], dtype=np.float32)
            own[column] = change
            self._add(TARGET, own)
        norm = np.linalg.norm(self.delta)
        self.direction = self.delta / norm if norm else self.delta
        self.along = self.factor * self.taken.along(self.direction)

    def _add(self, name: str, term: FloatArray) -> None:
        self.terms[name, name] = term
        self.delta = self.delta + term

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
