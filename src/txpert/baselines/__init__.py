"""Baselines that any model has to beat."""

from ._additive import AdditiveBaseline
from ._base import Baseline
from ._batch_only import BatchOnlyBaseline
from ._general import GeneralBaseline
from ._kernel import KernelBaseline
from ._line_alone import LineAloneBaseline
from ._line_mean import LineMeanBaseline
from ._matching_mean import MatchingMeanBaseline
from ._mean import MeanBaseline
from ._nearest_cell_line import NearestCellLineBaseline
from ._neighbors import NeighborsBaseline
from ._no_change import NoChangeBaseline
from ._registry import register_baseline, show
from ._ridge import LinearPCABaseline, RidgeBaseline
from ._stored import StoredPrediction
from ._weighted_cell_line import WeightedCellLineBaseline

__all__ = [
    "AdditiveBaseline",
    "Baseline",
    "BatchOnlyBaseline",
    "GeneralBaseline",
    "KernelBaseline",
    "LineAloneBaseline",
    "LineMeanBaseline",
    "LinearPCABaseline",
    "MatchingMeanBaseline",
    "MeanBaseline",
    "NearestCellLineBaseline",
    "NeighborsBaseline",
    "NoChangeBaseline",
    "RidgeBaseline",
    "StoredPrediction",
    "WeightedCellLineBaseline",
    "register_baseline",
    "show",
]
