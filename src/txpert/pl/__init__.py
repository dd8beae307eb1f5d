"""Figures: predictions, scores, Δ, benchmarks, training history and graphs."""

from ._benchmark_bars import benchmark_bars
from ._benchmark_differences import benchmark_differences
from ._benchmark_ranks import benchmark_ranks
from ._benchmark_strips import benchmark_strips
from ._delta import delta
from ._embedding import embedding
from ._enrichment import enrichment
from ._explain import explain
from ._graph import graph_coverage, graph_overlap
from ._graph_ablation import graph_ablation
from ._heatmap import heatmap
from ._history import history
from ._interactions import interactions
from ._profile import profile
from ._ranking import ranking
from ._scores import scores
from ._screen_report import screen_report
from ._trust import trust
from ._volcano import volcano

__all__ = [
    "benchmark_bars",
    "benchmark_differences",
    "benchmark_ranks",
    "benchmark_strips",
    "delta",
    "embedding",
    "enrichment",
    "explain",
    "graph_ablation",
    "graph_coverage",
    "graph_overlap",
    "heatmap",
    "history",
    "interactions",
    "profile",
    "ranking",
    "scores",
    "screen_report",
    "trust",
    "volcano",
]
