"""The paper's tables from its public screens, end to end."""

from ._experiments import EXPERIMENTS, LOADERS
from ._reproduce import reproduce

__all__ = ["EXPERIMENTS", "LOADERS", "reproduce"]
