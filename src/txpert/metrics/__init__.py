"""Metrics of predicted against observed Δ, and statistics of their comparison."""

from ._comparison import PairedTest, holm, paired_test
from ._correlation import cosine_delta, pearson_delta, spearman_delta
from ._delta import against_perturbed_mean, check_scale
from ._error import mae, mse, rmse
from ._genes import de_auprc, de_auroc, direction_accuracy, top_genes
from ._reliability import correlation_with_truth, spearman_brown
from ._retrieval import centroid_accuracy, retrieval, retrieval_scores
from ._summary import Interval, bootstrap_interval, mean_by_group

__all__ = [
    "Interval",
    "PairedTest",
    "against_perturbed_mean",
    "bootstrap_interval",
    "centroid_accuracy",
    "check_scale",
    "correlation_with_truth",
    "cosine_delta",
    "de_auprc",
    "de_auroc",
    "direction_accuracy",
    "holm",
    "mae",
    "mean_by_group",
    "mse",
    "paired_test",
    "pearson_delta",
    "retrieval",
    "retrieval_scores",
    "rmse",
    "spearman_brown",
    "spearman_delta",
    "top_genes",
]
