"""Simulated screens whose truth is known, their graphs, and oracles that know the truth."""

from ._noisy_graph import simulated_graph
from ._oracle import TruthOracle
from ._parameters import SimulationParameters
from ._presets import simulate_k562_like
from ._simulate import simulate
from ._toy import toy, toy_graph
from ._truth import truth

__all__ = [
    "SimulationParameters",
    "TruthOracle",
    "simulate",
    "simulate_k562_like",
    "simulated_graph",
    "toy",
    "toy_graph",
    "truth",
]
