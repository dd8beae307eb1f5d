from ._metrics import mse, pearson_delta, retrieval
from ._reliability import correlation_with_truth, spearman_brown

__all__ = ["correlation_with_truth", "mse", "pearson_delta", "retrieval", "spearman_brown"]
