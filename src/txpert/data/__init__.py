"""A perturbation screen: its cells, conditions and controls."""

from ._conditions import ConditionTable, average_over_batches, conditions_of
from ._controls import ControlProfiles, Embed, Matching
from ._group_sums import group_sums, weighted_group_means
from ._log_normalised import LogNormalised, log_normalised
from ._matrix import expression_matrix, iter_chunks, place, read_rows, row_digests
from ._screen import Screen, obs_columns, read_split, resolve_key
from ._storage import refuse_dask
from ._tokens import canonical_label, encode_targets, join_targets, measured_targets, parse_targets
from ._values import check_counts, check_log_normalised

__all__ = [
    "ConditionTable",
    "ControlProfiles",
    "Embed",
    "LogNormalised",
    "Matching",
    "Screen",
    "average_over_batches",
    "canonical_label",
    "check_counts",
    "check_log_normalised",
    "conditions_of",
    "encode_targets",
    "expression_matrix",
    "group_sums",
    "iter_chunks",
    "join_targets",
    "log_normalised",
    "measured_targets",
    "obs_columns",
    "parse_targets",
    "place",
    "read_rows",
    "read_split",
    "refuse_dask",
    "resolve_key",
    "row_digests",
    "weighted_group_means",
]
