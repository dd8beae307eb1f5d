"""Which perturbations are held out, for which task, and whether they leak."""

from ._assignment import FRACTIONS, draw_split, hold_out, split_by_fold, split_by_target
from ._cell_lines import split_cell_lines, split_few_shot
from ._cells import by_gene, names_by_line, perturbed_conditions, read_cells, trained_on
from ._combinations import split_combinations
from ._duplicates import identical_cells, repeated_names
from ._groups import held_out_groups, seen_elsewhere
from ._hash import current_hash, is_current, split_hash
from ._leaks import Problem, mixed_conditions, seen_held_out, shorten
from ._perturbations import Perturbations, group_key, record_key
from ._strata import Stratify
from ._task import TASKS, Task, make_task, option_names, register_task, show
from ._tasks import (
    CellLineTask,
    FewShotCellLine,
    UnseenCellLine,
    UnseenCombination,
    UnseenPerturbation,
)

__all__ = [
    "FRACTIONS",
    "TASKS",
    "CellLineTask",
    "FewShotCellLine",
    "Perturbations",
    "Problem",
    "Stratify",
    "Task",
    "UnseenCellLine",
    "UnseenCombination",
    "UnseenPerturbation",
    "by_gene",
    "current_hash",
    "draw_split",
    "group_key",
    "held_out_groups",
    "hold_out",
    "identical_cells",
    "is_current",
    "make_task",
    "mixed_conditions",
    "names_by_line",
    "option_names",
    "perturbed_conditions",
    "read_cells",
    "record_key",
    "register_task",
    "repeated_names",
    "seen_elsewhere",
    "seen_held_out",
    "shorten",
    "show",
    "split_by_fold",
    "split_by_target",
    "split_cell_lines",
    "split_combinations",
    "split_few_shot",
    "split_hash",
    "trained_on",
]
