from ._conditions import ConditionTable, average_over_batches, conditions_of
from ._controls import ControlProfiles, Embed, Matching
from ._datasets import (
    CONTROL_EMBEDDING,
    CONTROL_PROFILE,
    EXPRESSION,
    GROUP,
    PERTURBATION,
    WEIGHT,
    CellDataset,
    ConditionDataset,
    Controls,
    control_tensors,
)
from ._fields import MuDataOpenObsField, OpenObsField, obs_column
from ._group_sums import group_sums, weighted_group_means
from ._halves import draw_halves, split_half_deltas
from ._log_normalised import LogNormalised, log_normalised
from ._matrix import expression_matrix, place, read_rows, row_digests
from ._observations import Observations
from ._sampled import CountModel, draw_counts, sampled_deltas
from ._screen import Screen, obs_columns, resolve_key
from ._split import FRACTIONS, draw_split, hold_out, split_by_fold, split_by_target
from ._splitter import PerturbationSplitter, Unit
from ._tasks import (
    held_out_groups,
    seen_elsewhere,
    split_cell_lines,
    split_combinations,
    split_hash,
)
from ._tokens import (
    canonical_label,
    encode_targets,
    join_targets,
    measured_targets,
    parse_targets,
)
from ._values import check_counts, check_log_normalised

__all__ = [
    "CONTROL_EMBEDDING",
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
    "CountModel",
    "Embed",
    "LogNormalised",
    "Matching",
    "MuDataOpenObsField",
    "Observations",
    "OpenObsField",
    "PerturbationSplitter",
    "Screen",
    "Unit",
    "average_over_batches",
    "canonical_label",
    "check_counts",
    "check_log_normalised",
    "conditions_of",
    "control_tensors",
    "draw_counts",
    "draw_halves",
    "draw_split",
    "encode_targets",
    "expression_matrix",
    "group_sums",
    "held_out_groups",
    "hold_out",
    "join_targets",
    "log_normalised",
    "measured_targets",
    "obs_column",
    "obs_columns",
    "parse_targets",
    "place",
    "read_rows",
    "resolve_key",
    "row_digests",
    "sampled_deltas",
    "seen_elsewhere",
    "split_by_fold",
    "split_by_target",
    "split_cell_lines",
    "split_combinations",
    "split_half_deltas",
    "split_hash",
    "weighted_group_means",
]
