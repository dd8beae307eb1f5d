from ._delta import delta
from ._history import history
from ._scores import scores

__all__ = ["delta", "history", "scores"]
