"""Prediction and evaluation on an AnnData: scores, ceilings, predictions per cell, recipes."""

from ._ceiling import ceiling
from ._evaluate import evaluate
from ._fit import fit_baseline, fit_txpert
from ._match import match
from ._predict import predict
from ._propose import propose
from ._screen import screen

__all__ = [
    "ceiling",
    "evaluate",
    "fit_baseline",
    "fit_txpert",
    "match",
    "predict",
    "propose",
    "screen",
]
