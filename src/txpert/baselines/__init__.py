"""Baselines that any model has to beat."""

from ._batch_only import BatchOnlyBaseline
from ._general import GeneralBaseline
from ._kernel import KernelBaseline
from ._matching_mean import MatchingMeanBaseline
from ._mean import MeanBaseline
from ._nearest_cell_line import NearestCellLineBaseline
from ._neighbours import NeighboursBaseline
from ._no_change import NoChangeBaseline
from ._ridge import RidgeBaseline
from ._stored import StoredPrediction
from ._weighted_cell_line import WeightedCellLineBaseline

__all__ = [
    "BatchOnlyBaseline",
    "GeneralBaseline",
    "KernelBaseline",
    "MatchingMeanBaseline",
    "MeanBaseline",
    "NearestCellLineBaseline",
    "NeighboursBaseline",
    "NoChangeBaseline",
    "RidgeBaseline",
    "StoredPrediction",
    "WeightedCellLineBaseline",
]
