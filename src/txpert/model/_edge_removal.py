"""What the network predicts without one edge of a target."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm.auto import tqdm

from txpert._constants import PERTURBATION
from txpert._types import FloatArray, IntArray
from txpert.data._controls import ControlProfiles
from txpert.data._tokens import parse_targets
from txpert.graph import KnowledgeGraph
from txpert.nn import GraphTensors

from ._component import NETWORK
from ._inputs import graph_tensors
from ._network import Network

_MOST = 100
"""Edges of a graph that are removed in turn, the heaviest ones."""


class Link(NamedTuple):
    """An edge between a target and a neighbor, with its reverse if there is one."""

    graph: int
    target: str
    neighbor: str
    weight: float
    positions: IntArray


@dataclass(frozen=True)
class EdgeRemoval:
    """Predictions of a network whose graphs lack one edge, with the same parameters.

    Attributes
    ----------
    network
        The network.
    graphs
        Its graphs.
    make_encoder
        Builds the encoder on graphs.
    """

    network: Network
    graphs: Sequence[KnowledgeGraph]
    make_encoder: Callable[[Sequence[GraphTensors]], nn.Module]

    def table(
        self,
        obs: pd.DataFrame,
        profiles: ControlProfiles,
        context: IntArray,
        direction: FloatArray,
        factor: float,
    ) -> pd.DataFrame:
        """Return one row per edge of a target, the one that matters most first.

        Parameters
        ----------
        obs, profiles, context
            One condition and its controls.
        direction
            Of the predicted Δ, of norm 1, ``(n_genes,)``.
        factor
            What the network's Δ is multiplied by in the prediction.
        """
        links, n_left_out = self._links(parse_targets(str(obs[PERTURBATION].iloc[0])))
        changes = self._changes(links, obs, profiles, context)
        frame = pd.DataFrame(
            {
                "component": NETWORK,
                "graph": [self.graphs[link.graph].name for link in links],
                "target": [link.target for link in links],
                "neighbor": [link.neighbor for link in links],
                "edge_weight": [link.weight for link in links],
                "contribution": factor * (changes @ direction),
                "if_removed": factor * np.linalg.norm(changes, axis=1),
            }
        )
        frame = frame.sort_values("if_removed", ascending=False, kind="stable", ignore_index=True)
        frame.attrs["n_left_out"] = n_left_out
        return frame

    def _links(self, targets: Sequence[str]) -> tuple[list[Link], int]:
        """Return the heaviest edges of the targets in each graph, and the number of others."""
        found, n_left_out = [], 0
        for g, graph in enumerate(self.graphs):
            of_graph = [
                link for target in targets for link in _links_of(graph, g, target, set(targets))
            ]
            of_graph.sort(key=lambda link: (-link.weight, link.neighbor))
            found += of_graph[:_MOST]
            n_left_out += len(of_graph[_MOST:])
        return found, n_left_out

    @torch.no_grad()
    def _changes(
        self,
        links: Sequence[Link],
        obs: pd.DataFrame,
        profiles: ControlProfiles,
        context: IntArray,
    ) -> FloatArray:
        """Return Δ less Δ without each edge, ``(n_links, n_genes)``."""
        module = copy.deepcopy(self.network.module).eval()
        nodes = self.network.nodes
        state, device = module.encoder.state_dict(), next(module.parameters()).device
        targets = nodes.get_indexer(pd.Index(parse_targets(str(obs[PERTURBATION].iloc[0]))))
        wanted = torch.from_numpy(np.sort(targets)).to(device)
        network = Network(module, nodes)

        def delta() -> FloatArray:
            return network.decode(module.embed(wanted), obs, profiles, context)[0]

        whole, tensors = delta(), graph_tensors(self.graphs, nodes)
        changes = np.zeros((len(links), len(whole)), dtype=np.float32)
        for row, link in enumerate(tqdm(links, desc="edges", delay=2, leave=False)):
            less, graph = list(tensors), tensors[link.graph]
            keep = torch.ones(len(graph.weight), dtype=torch.bool)
            keep[torch.from_numpy(link.positions)] = False
            less[link.graph] = GraphTensors(graph.edges[:, keep], graph.weight[keep])
            module.encoder = self.make_encoder(less).to(device)
            module.encoder.load_state_dict(state)
            module.encoder.eval()
            changes[row] = whole - delta()
        return changes


def _links_of(graph: KnowledgeGraph, number: int, target: str, targets: set[str]) -> list[Link]:
    """Return the edges of a target; one between two targets belongs to the first by name."""
    here = graph.nodes.get_indexer(pd.Index([target]))[0]
    if here < 0:
        return []
    edges = np.flatnonzero((graph.source == here) | (graph.target == here))
    other = np.where(graph.source[edges] == here, graph.target[edges], graph.source[edges])
    found = []
    for neighbor in np.unique(other):
        name = str(graph.nodes[neighbor])
        if name != target and not (name in targets and name < target):
            positions = edges[other == neighbor]
            weight = float(graph.weight[positions].max())
            found.append(Link(number, target, name, weight, positions))
    return found
