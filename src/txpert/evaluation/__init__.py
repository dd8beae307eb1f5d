"""From predicted and observed Δ to scores, and repeated measurements for ceilings."""

from ._check import check_prediction, undefined_reasons, without_rounding
from ._halves import draw_halves, split_half_deltas
from ._observations import Observations
from ._repeats import mean_over_repeats, score_pairs, summarise, with_estimates
from ._sampled import CountModel, draw_counts, sampled_deltas
from ._scoring import ALL_METRICS, METRICS, HeldOut, SupportsPredict, predicted_delta

__all__ = [
    "ALL_METRICS",
    "METRICS",
    "CountModel",
    "HeldOut",
    "Observations",
    "SupportsPredict",
    "check_prediction",
    "draw_counts",
    "draw_halves",
    "mean_over_repeats",
    "predicted_delta",
    "sampled_deltas",
    "score_pairs",
    "split_half_deltas",
    "summarise",
    "undefined_reasons",
    "with_estimates",
    "without_rounding",
]
