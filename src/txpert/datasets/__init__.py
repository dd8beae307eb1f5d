from ._graph_oracle import GraphOracle
from ._noisy_graph import noisy_graph, simulated_graph
from ._oracle import TruthOracle
from ._parameters import SimulationParameters
from ._presets import simulate_k562_like
from ._simulate import simulate
from ._toy import toy, toy_graph
from ._truth import truth

__all__ = [
    "GraphOracle",
    "SimulationParameters",
    "TruthOracle",
    "noisy_graph",
    "simulate",
    "simulate_k562_like",
    "simulated_graph",
    "toy",
    "toy_graph",
    "truth",
]
