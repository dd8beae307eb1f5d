from ._batch_only import BatchOnlyBaseline
from ._gene_kernels import GeneKernels
from ._gene_process import GeneProcess
from ._general import GeneralBaseline
from ._kernel import KernelBaseline
from ._matching_mean import MatchingMeanBaseline
from ._mean import MeanBaseline
from ._nearest_cell_line import NearestCellLineBaseline
from ._neighbours import NeighboursBaseline
from ._no_change import NoChangeBaseline
from ._ridge import RidgeBaseline
from ._stored import StoredPrediction
from ._target_effect import TargetEffect
from ._training import Effects
from ._weighted_cell_line import WeightedCellLineBaseline

__all__ = [
    "BatchOnlyBaseline",
    "Effects",
    "GeneKernels",
    "GeneProcess",
    "GeneralBaseline",
    "KernelBaseline",
    "MatchingMeanBaseline",
    "MeanBaseline",
    "NearestCellLineBaseline",
    "NeighboursBaseline",
    "NoChangeBaseline",
    "RidgeBaseline",
    "StoredPrediction",
    "TargetEffect",
    "WeightedCellLineBaseline",
]
