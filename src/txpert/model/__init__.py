from ._model import TxPertModel
from ._module import TxPertModule
from ._plan import TxPertTrainingPlan

__all__ = ["TxPertModel", "TxPertModule", "TxPertTrainingPlan"]
