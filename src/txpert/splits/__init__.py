"""Which perturbations are held out, for which task, and whether they leak."""

from . import _tasks  # noqa: F401 (its tasks register themselves)
from ._task import Task, register_task, show

__all__ = [
    "Task",
    "register_task",
    "show",
]
