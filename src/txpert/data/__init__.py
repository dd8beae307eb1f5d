"""A perturbation screen: its cells, conditions and controls."""

from ._conditions import ConditionTable
from ._keys import ObsKeys
from ._predictor import Predictor

__all__ = [
    "ConditionTable",
    "ObsKeys",
    "Predictor",
]
