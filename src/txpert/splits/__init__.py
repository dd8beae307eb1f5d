"""Which perturbations are held out, for which task, and whether they leak."""

from ._assignment import FRACTIONS, draw_split, hold_out, split_by_fold, split_by_target
from ._cells import condition_names, conditions_of, read_cells, trained_on
from ._duplicates import identical_cells, repeated_names
from ._leaks import Problem, label_leaks, mixed_conditions, seen_held_out, shorten
from ._perturbations import Perturbations, record_key
from ._strata import Stratify
from ._tasks import (
    TASKS,
    Task,
    held_out_groups,
    seen_elsewhere,
    split_cell_lines,
    split_combinations,
    split_hash,
)

__all__ = [
    "FRACTIONS",
    "TASKS",
    "Perturbations",
    "Problem",
    "Stratify",
    "Task",
    "condition_names",
    "conditions_of",
    "draw_split",
    "held_out_groups",
    "hold_out",
    "identical_cells",
    "label_leaks",
    "mixed_conditions",
    "read_cells",
    "record_key",
    "repeated_names",
    "seen_elsewhere",
    "seen_held_out",
    "shorten",
    "split_by_fold",
    "split_by_target",
    "split_cell_lines",
    "split_combinations",
    "split_hash",
    "trained_on",
]
