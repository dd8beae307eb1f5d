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
from ._benchmark import BenchmarkResult, ablate_graphs, benchmark
from ._cite import cite
from ._report import report
from .model import TxPertModel

__version__ = version("txpert")

__all__ = [
    "BenchmarkResult",
    "TxPertModel",
    "__version__",
    "ablate_graphs",
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
    "report",
    "splits",
    "testing",
    "tl",
]
