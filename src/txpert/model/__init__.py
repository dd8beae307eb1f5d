from ._blend import Blend, LinearPath, stack
from ._model import TxPertModel
from ._module import TxPertModule
from ._plan import TxPertTrainingPlan

__all__ = [
    "Blend",
    "LinearPath",
    "TxPertModel",
    "TxPertModule",
    "TxPertTrainingPlan",
    "stack",
]
