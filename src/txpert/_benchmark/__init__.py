"""Compare models, baselines and other tools over splits and seeds: ``tx.benchmark``."""

from ._ablation import ablate_graphs
from ._benchmark import benchmark
from ._result import BenchmarkResult

__all__ = ["BenchmarkResult", "ablate_graphs", "benchmark"]
