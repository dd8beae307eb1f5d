"""Prediction and evaluation on an AnnData: scores, ceilings, predictions per cell, recipes."""

from ._ceiling import ceiling
from ._enrichment import enrichment
from ._evaluate import evaluate
from ._fit import fit_baseline, fit_txpert
from ._interactions import interactions
from ._match import match
from ._predict import predict
from ._propose import propose
from ._screen import screen
from ._screen_report import screen_report
from ._trust import trust

__all__ = [
    "ceiling",
    "enrichment",
    "evaluate",
    "fit_baseline",
    "fit_txpert",
    "interactions",
    "match",
    "predict",
    "propose",
    "screen",
    "screen_report",
    "trust",
]
