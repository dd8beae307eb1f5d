"""Predict transcriptional responses to unseen genetic perturbations."""

from importlib.metadata import version

from . import (
    baselines,
    data,
    datasets,
    effects,
    evaluation,
    get,
    graph,
    metrics,
    model,
    nn,
    pl,
    pp,
    splits,
    testing,
    tl,
)
from ._benchmark import BenchmarkResult, benchmark
from ._cite import cite
from .model import TxPertModel

__version__ = version("txpert")

__all__ = [
    "BenchmarkResult",
    "TxPertModel",
    "__version__",
    "baselines",
    "benchmark",
    "cite",
    "data",
    "datasets",
    "effects",
    "evaluation",
    "get",
    "graph",
    "metrics",
    "model",
    "nn",
    "pl",
    "pp",
    "splits",
    "testing",
    "tl",
]
