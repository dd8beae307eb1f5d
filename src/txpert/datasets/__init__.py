from ._simulate import SimulationParameters, simulate
from ._toy import toy, toy_graph

__all__ = ["SimulationParameters", "simulate", "toy", "toy_graph"]
