"""Ranking of many effects, and of all their pairs, against one signature."""

from ._kept import Kept
from ._scores import SCORES, Score, Scorer
from ._top import top_pairs, top_singles

__all__ = ["SCORES", "Kept", "Score", "Scorer", "top_pairs", "top_singles"]
