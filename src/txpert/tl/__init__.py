from ._ceiling import ceiling
from ._evaluate import evaluate
from ._predict import predict

__all__ = ["ceiling", "evaluate", "predict"]
