"""A perturbation screen: its cells, conditions and controls."""

from ._conditions import ConditionTable, average_over_batches, conditions_of
from ._controls import ControlProfiles, Embed, Matching, condition_names
from ._group_sums import group_sums, weighted_group_means
from ._keys import (
    BATCH_KEY,
    CELL_LINE_KEY,
    CONTROL_KEY,
    MODALITY_KEY,
    PERTURBATION_KEY,
    SPLIT_KEY,
    ObsKeys,
    obs_columns,
    resolve_key,
)
from ._label_warnings import warn_of_labels
from ._labels import read_flags, read_names
from ._log_normalised import LogNormalised, check_target_sum, log_normalised
from ._matrix import expression_matrix, iter_chunks, place, read_cells_of, read_rows, row_digests
from ._measured import zero_genes
from ._modality import warn_of_mixed_modalities
from ._predictor import TRAINED_ON, Predictor
from ._reading import LabelReading, read_labels
from ._screen import Screen, read_split
from ._storage import refuse_dask
from ._tokens import (
    canonical_label,
    drop_controls,
    encode_targets,
    is_control_name,
    join_targets,
    measured_targets,
    parse_targets,
)
from ._values import ValueCheck, check_counts, check_log_normalised

__all__ = [
    "BATCH_KEY",
    "CELL_LINE_KEY",
    "CONTROL_KEY",
    "MODALITY_KEY",
    "PERTURBATION_KEY",
    "SPLIT_KEY",
    "TRAINED_ON",
    "ConditionTable",
    "ControlProfiles",
    "Embed",
    "LabelReading",
    "LogNormalised",
    "Matching",
    "ObsKeys",
    "Predictor",
    "Screen",
    "ValueCheck",
    "average_over_batches",
    "canonical_label",
    "check_counts",
    "check_log_normalised",
    "check_target_sum",
    "condition_names",
    "conditions_of",
    "drop_controls",
    "encode_targets",
    "expression_matrix",
    "group_sums",
    "is_control_name",
    "iter_chunks",
    "join_targets",
    "log_normalised",
    "measured_targets",
    "obs_columns",
    "parse_targets",
    "place",
    "read_cells_of",
    "read_flags",
    "read_labels",
    "read_names",
    "read_rows",
    "read_split",
    "refuse_dask",
    "resolve_key",
    "row_digests",
    "warn_of_labels",
    "warn_of_mixed_modalities",
    "weighted_group_means",
    "zero_genes",
]
