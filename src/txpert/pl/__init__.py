from ._delta import delta
from ._graph import graph_coverage, graph_overlap
from ._history import history
from ._scores import scores

__all__ = ["delta", "graph_coverage", "graph_overlap", "history", "scores"]
