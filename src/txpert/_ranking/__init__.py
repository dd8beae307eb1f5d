"""Ranking of many effects, and of all their pairs, against one signature."""

from ._scores import SCORES, Score, Scorer
from ._top import top_pairs, top_singles

__all__ = ["SCORES", "Score", "Scorer", "top_pairs", "top_singles"]
