"""TxPertModel: registration, training and prediction."""

from ._blend import Blend, across_lines
from ._model import TxPertModel
from ._module import TxPertModule
from ._plan import TxPertTrainingPlan
from ._stacking import HeldOut, Weights, stack

__all__ = [
    "Blend",
    "HeldOut",
    "TxPertModel",
    "TxPertModule",
    "TxPertTrainingPlan",
    "Weights",
    "across_lines",
    "stack",
]
