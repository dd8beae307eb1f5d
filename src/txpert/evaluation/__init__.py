"""From predicted and observed Δ to scores, and repeated measurements for ceilings."""

from ._check import check_prediction, score_prediction, undefined_reasons, without_rounding
from ._halves import draw_halves, split_half_deltas
from ._metrics import (
    METRICS,
    WITHOUT_TARGETS,
    Metric,
    Rows,
    metric_of,
    register_metric,
    score_label,
    score_names,
    show,
)
from ._observations import Observations
from ._repeats import mean_over_repeats, score_pairs, summarize, with_estimates
from ._sampled import CountModel, draw_counts, sampled_deltas
from ._scoring import HeldOut, SupportsPredict, measured_genes, predicted_delta
from ._warnings import check_names, warn_of_copies, warn_of_leak, warn_of_unmeasured

__all__ = [
    "METRICS",
    "WITHOUT_TARGETS",
    "CountModel",
    "HeldOut",
    "Metric",
    "Observations",
    "Rows",
    "SupportsPredict",
    "check_names",
    "check_prediction",
    "draw_counts",
    "draw_halves",
    "mean_over_repeats",
    "measured_genes",
    "metric_of",
    "predicted_delta",
    "register_metric",
    "sampled_deltas",
    "score_label",
    "score_names",
    "score_pairs",
    "score_prediction",
    "show",
    "split_half_deltas",
    "summarize",
    "undefined_reasons",
    "warn_of_copies",
    "warn_of_leak",
    "warn_of_unmeasured",
    "with_estimates",
    "without_rounding",
]
