"""Which perturbations are held out, for which task, and whether they leak."""

from ._task import Task, register_task, show
from ._tasks import CellLineTask

__all__ = [
    "CellLineTask",
    "Task",
    "register_task",
    "show",
]
