"""The paper's experiments: their screens, tasks, filters and baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from anndata import AnnData

import txpert as tx
from txpert._constants import CELL_LINE, PERTURBATION
from txpert.data._tokens import parse_targets

LOADERS: dict[str, Callable[..., AnnData]] = {
    "norman_2019": tx.datasets.norman_2019,
    "replogle_2022_k562_essential": tx.datasets.replogle_2022,
    "replogle_2022_rpe1_essential": partial(tx.datasets.replogle_2022, "RPE1"),
    "nadig_2025_hepg2": tx.datasets.nadig_2025,
    "nadig_2025_jurkat": partial(tx.datasets.nadig_2025, "Jurkat"),
}
"""Public screens by the names of :func:`txpert.datasets.show`."""


@dataclass(frozen=True)
class Experiment:
    """A table of the paper.

    Parameters
    ----------
    screens
        Names in :data:`LOADERS`.
    task
        Of :func:`txpert.pp.split`.
    baselines
        Compared besides the general baseline.
    filters
        Arguments of :func:`txpert.pp.filter_perturbations` that differ from its defaults, which
        are the paper's.
    """

    screens: Sequence[str]
    task: str
    baselines: Sequence[str]
    filters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def by_line(self) -> bool:
        """Whether every cell line is test in turn."""
        return self.task == "unseen_cell_line"

    def check(self, adata: AnnData) -> None:
        """Refuse a screen that has nothing to test.

        Raises
        ------
        ValueError
            If the task is about cell lines and there is one, or about combinations and there is
            none.
        """
        n_lines = adata.obs[CELL_LINE].nunique() if CELL_LINE in adata.obs else 1
        if self.by_line and n_lines < 2:
            raise ValueError(
                f"The task {self.task!r} needs several cell lines, and obs[{CELL_LINE!r}] has "
                f"{n_lines}."
            )
        labels = adata.obs[PERTURBATION].astype(str).unique()
        if self.task == "unseen_combination" and max(map(_n_targets, labels), default=0) < 2:
            raise ValueError(
                f"The task {self.task!r} needs combinations such as 'A+B', and none of the "
                f"{len(labels)} labels in obs[{PERTURBATION!r}] is one."
            )


def _n_targets(label: str) -> int:
    return len(parse_targets(label))


EXPERIMENTS: dict[str, Experiment] = {
    "k562": Experiment(["replogle_2022_k562_essential"], "unseen_perturbation", ["mean"]),
    "cross-line": Experiment(
        [name for name in LOADERS if name != "norman_2019"],
        "unseen_cell_line",
        ["mean", "nearest_cell_line"],
    ),
    "norman": Experiment(
        ["norman_2019"],
        "unseen_combination",
        ["mean", "matching_mean"],
        # The targets of CRISPRa do not fall.
        {"max_target_expression": None},
    ),
}
