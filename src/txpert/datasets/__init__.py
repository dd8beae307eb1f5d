from ._simulate import simulate
from ._toy import toy, toy_graph

__all__ = ["simulate", "toy", "toy_graph"]
