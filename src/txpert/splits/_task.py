"""What a task is, and the registry of tasks."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

import pandas as pd

from txpert._constants import TEST, TRAIN, VALIDATION
from txpert._registry import add_entry, table

from ._assignment import FRACTIONS
from ._groups import held_out_groups
from ._leaks import Problem, used_before

TASKS: dict[str, type[Task]] = {}
"""Tasks by the name a user gives."""

TaskClass = TypeVar("TaskClass", bound="type[Task]")


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """What a split asks of a model: which conditions are held out, and what would leak them.

    A task is a dataclass whose fields are its options, registered by :func:`register_task`. It
    defines :meth:`assign`; the other methods are those for perturbations unseen in every context
    unless it defines them too. ``conditions`` are frames with cell_line and perturbation, and
    split where one has been assigned, one row per condition.

    Parameters
    ----------
    fractions
        Fractions of train, val and test.

    Examples
    --------
    Hold out the genes of a family, whose name starts the same way:

    >>> from dataclasses import dataclass
    >>> import txpert as tx
    >>> @tx.splits.register_task("gene_family", description="The genes of one family.")
    ... @dataclass(frozen=True, kw_only=True)
    ... class GeneFamily(tx.splits.Task):
    ...     family: str = "RPL"
    ...
    ...     def assign(self, conditions, *, seed, values=None):
    ...         of_family = conditions["perturbation"].str.startswith(self.family)
    ...         return ["test" if held_out else "train" for held_out in of_family]
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata, GeneFamily(family="GENE3"))
    >>> sorted(adata.obs.query("split == 'test'")["perturbation"].unique())
    ['GENE33', 'GENE38']
    >>> adata.uns["txpert_split"]["family"]
    'GENE3'
    >>> problems = tx.pp.check_split(adata)
    No problems found in the split 'split' of 12 perturbations.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    reference: ClassVar[str]
    cross_validates: ClassVar[bool] = False
    """Whether :func:`txpert.pp.split_fold` makes splits for the task."""

    fractions: tuple[float, float, float] = FRACTIONS

    @abstractmethod
    def assign(
        self, conditions: pd.DataFrame, *, seed: int, values: Mapping[str, float] | None = None
    ) -> Sequence[str | None]:
        """Return the split of each condition.

        Parameters
        ----------
        conditions
            cell_line and perturbation of each condition, controls left out.
        seed
            Seeds the draw.
        values
            A number per perturbation, over which train, val and test are to spread evenly.
        """

    def groups(self, conditions: pd.DataFrame) -> Sequence[str | None]:
        """Say how much of each held-out condition has been trained on; ``None`` for the others."""
        return held_out_groups(conditions)

    def leaks(self, conditions: pd.DataFrame) -> Iterator[Problem]:
        """Find held-out conditions of a split of any origin that training knows already."""
        for used, held_out in ((TRAIN, VALIDATION), (TRAIN, TEST), (VALIDATION, TEST)):
            yield from used_before(conditions, used, held_out)

    def folds(self, conditions: pd.DataFrame) -> Iterator[tuple[str, Task]]:
        """Yield the tasks, by name, that a benchmark runs through for every seed."""
        yield "", self

    def record(self) -> dict[str, Any]:
        """Return name and options in a form that an h5ad file keeps."""
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        given = {name: value for name, value in options.items() if value is not None}
        return {"task": self.name} | given | {"fractions": list(self.fractions)}


def register_task(
    name: str, *, description: str, reference: str = ""
) -> Callable[[TaskClass], TaskClass]:
    """Make a class available as ``tx.pp.split(adata, task=name)``.

    Parameters
    ----------
    name
        What users call the task.
    description
        What is held out, in a line.
    reference
        Where the task comes from.

    Raises
    ------
    TypeError
        If the class is no :class:`Task`.
    ValueError
        If another task has that name.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import txpert as tx
    >>> @tx.splits.register_task("last_gene", description="The last gene of the alphabet.")
    ... @dataclass(frozen=True, kw_only=True)
    ... class LastGene(tx.splits.Task):
    ...     def assign(self, conditions, *, seed, values=None):
    ...         last = conditions["perturbation"].max()
    ...         return ["test" if p == last else "train" for p in conditions["perturbation"]]
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata, task="last_gene")
    >>> adata.obs.groupby("split", observed=True)["perturbation"].nunique().to_dict()
    {'train': 11, 'test': 1}
    """

    def register(task: TaskClass) -> TaskClass:
        if not (inspect.isclass(task) and issubclass(task, Task)):
            raise TypeError(f"A task is a subclass of txpert.splits.Task, not {task!r}.")
        entry: type[Task] = task
        add_entry(TASKS, name, entry, kind="task", definition=lambda known: known)
        task.name, task.description, task.reference = name, description, reference
        return task

    return register


def make_task(task: str | Task, **options: Any) -> Task:
    """Return a task from its name and options; ``None`` leaves an option at its default.

    Raises
    ------
    ValueError
        If there is no such task, or it has no such option.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if isinstance(task, Task):
        if given:
            raise ValueError(
                f"{next(iter(given))} is an option of the task; give it to {type(task).__name__}."
            )
        return task
    if task not in TASKS:
        raise ValueError(
            f"There is no task {task!r}; the tasks known are {', '.join(map(repr, TASKS))}."
        )
    known = option_names(task)
    for name in given:
        if name not in known:
            owners = [repr(other) for other in TASKS if name in option_names(other)]
            belongs = f" It belongs to {' and '.join(owners)}." if owners else ""
            raise ValueError(
                f"Task {task!r} has no option {name!r}; it has {', '.join(known)}.{belongs}"
            )
    return TASKS[task](**given)


def option_names(task: str | Task) -> list[str]:
    """Return the names of a task's options; none for a task that has been given them."""
    if isinstance(task, Task) or task not in TASKS:
        return []
    return [field.name for field in fields(TASKS[task])]


def show() -> pd.DataFrame:
    """Return the tasks that there are, one per row.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.splits.show()["options"]["unseen_cell_line"]
    'fractions, test_cell_line, val_cell_line'
    """

    def columns(name: str, task: type[Task]) -> dict[str, str]:
        return {
            "description": task.description,
            "options": ", ".join(option_names(name)),
            "reference": task.reference,
        }

    return table(TASKS, columns)
