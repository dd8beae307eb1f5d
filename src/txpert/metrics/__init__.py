"""Metrics of predicted against observed Δ, and statistics of their comparison."""

from ._comparison import holm, paired_test
from ._correlation import cosine_delta, pearson_delta, spearman_delta
from ._delta import against_perturbed_mean
from ._error import mae, mse, rmse
from ._genes import de_auprc, de_auroc, direction_accuracy, top_genes
from ._retrieval import centroid_accuracy, retrieval, retrieval_scores
from ._summary import bootstrap_interval

__all__ = [
    "against_perturbed_mean",
    "bootstrap_interval",
    "centroid_accuracy",
    "cosine_delta",
    "de_auprc",
    "de_auroc",
    "direction_accuracy",
    "holm",
    "mae",
    "mse",
    "paired_test",
    "pearson_delta",
    "retrieval",
    "retrieval_scores",
    "rmse",
    "spearman_delta",
    "top_genes",
]
