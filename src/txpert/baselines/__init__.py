from ._general import GeneralBaseline
from ._stored import StoredPrediction

__all__ = ["GeneralBaseline", "StoredPrediction"]
