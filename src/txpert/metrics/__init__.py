from ._metrics import mse, pearson_delta, retrieval

__all__ = ["mse", "pearson_delta", "retrieval"]
