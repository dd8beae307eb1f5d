from ._benchmark import benchmark
from ._result import BenchmarkResult

__all__ = ["BenchmarkResult", "benchmark"]
