from ._evaluate import evaluate
from ._predict import predict

__all__ = ["evaluate", "predict"]
