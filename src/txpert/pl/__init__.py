"""Figures: scores, Δ, benchmarks, training history and graphs."""

from ._benchmark import benchmark_bars, benchmark_ranks, benchmark_strips
from ._delta import delta
from ._explain import explain
from ._graph import graph_coverage, graph_overlap
from ._history import history
from ._scores import scores

__all__ = [
    "benchmark_bars",
    "benchmark_ranks",
    "benchmark_strips",
    "delta",
    "explain",
    "graph_coverage",
    "graph_overlap",
    "history",
    "scores",
]
