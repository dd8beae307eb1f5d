from ._blend import Blend, HeldOut, Weights, stack
from ._model import TxPertModel
from ._module import TxPertModule
from ._plan import TxPertTrainingPlan

__all__ = [
    "Blend",
    "HeldOut",
    "TxPertModel",
    "TxPertModule",
    "TxPertTrainingPlan",
    "Weights",
    "stack",
]
