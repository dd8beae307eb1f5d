from ._conditions import ConditionTable, average_over_batches, weighted_group_means
from ._controls import ControlProfiles
from ._datasets import (
    CONTROL_PROFILE,
    EXPRESSION,
    GROUP,
    PERTURBATION,
    WEIGHT,
    CellDataset,
    ConditionDataset,
    Controls,
)
from ._fields import MuDataOpenObsField, OpenObsField, obs_column
from ._matrix import (
    check_counts,
    check_log_normalised,
    expression_matrix,
    group_sums,
    read_rows,
    row_digests,
)
from ._screen import Screen, resolve_key
from ._split import FRACTIONS, draw_split, split_by_fold, split_by_target
from ._splitter import PerturbationSplitter, Unit
from ._tasks import (
    held_out_groups,
    seen_elsewhere,
    split_cell_lines,
    split_combinations,
    split_hash,
)
from ._tokens import canonical_label, encode_targets, join_targets, parse_targets

__all__ = [
    "CONTROL_PROFILE",
    "EXPRESSION",
    "FRACTIONS",
    "GROUP",
    "PERTURBATION",
    "WEIGHT",
    "CellDataset",
    "ConditionDataset",
    "ConditionTable",
    "ControlProfiles",
    "Controls",
    "MuDataOpenObsField",
    "OpenObsField",
    "PerturbationSplitter",
    "Screen",
    "Unit",
    "average_over_batches",
    "canonical_label",
    "check_counts",
    "check_log_normalised",
    "draw_split",
    "encode_targets",
    "expression_matrix",
    "group_sums",
    "held_out_groups",
    "join_targets",
    "obs_column",
    "parse_targets",
    "read_rows",
    "resolve_key",
    "row_digests",
    "seen_elsewhere",
    "split_by_fold",
    "split_by_target",
    "split_cell_lines",
    "split_combinations",
    "split_hash",
    "weighted_group_means",
]
