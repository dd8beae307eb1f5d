"""Names that several parts of the package share."""

from typing import Final

PERTURBATION: Final = "perturbation"
CONTROL: Final = "control"
BATCH: Final = "batch"
CELL_LINE: Final = "cell_line"
MODALITY: Final = "modality"
SPLIT: Final = "split"

TRAIN: Final = "train"
VALIDATION: Final = "val"
TEST: Final = "test"

COMBINATION: Final = "+"
"""Joins the targets of one perturbation: ``"A+B"``."""

ALL: Final = "all"
"""Stands in for the batch or cell line where the data name none."""

N_CELLS: Final = "n_cells"
MEASURED: Final = "txpert_measured"
"""Key in ``varm`` of the genes that each cell line measured."""
DELTA: Final = "delta"
UNS_KEY: Final = "txpert"
BENCHMARK_KEY: Final = "txpert_benchmark"
TEST_PERTURBATIONS: Final = "test_perturbations"
"""Entry of ``uns[BENCHMARK_KEY]``: the perturbations whose cells a benchmark holds back."""
TARGET_SUM: Final = 4_000
"""Library size after :func:`txpert.pp.normalize`, in counts per cell."""
