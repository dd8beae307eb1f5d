"""The tasks of the package; a further one is a further class here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from txpert._constants import CELL_LINE, PERTURBATION, TEST, TRAIN, VALIDATION

from ._assignment import split_by_target
from ._cell_lines import split_cell_lines, split_few_shot
from ._combinations import split_combinations
from ._groups import seen_elsewhere
from ._leaks import Problem, line_leaks, used_before
from ._task import Task, register_task

_PAPER = "Wenkel, Tu et al., Nature Biotechnology 2026 (TxPert)"


@register_task(
    "unseen_perturbation",
    description="Genes are drawn; a combination follows its held-out target.",
    reference=_PAPER,
)
@dataclass(frozen=True, kw_only=True)
class UnseenPerturbation(Task):
    """Perturbed genes that training never sees, alone or in combinations."""

    cross_validates = True

    def assign(
        self, conditions: pd.DataFrame, *, seed: int, values: Mapping[str, float] | None = None
    ) -> Sequence[str | None]:
        """Draw the perturbed genes; see :func:`split_by_target`."""
        labels = conditions[PERTURBATION]
        part = split_by_target(labels, fractions=self.fractions, seed=seed, values=values)
        return [part[label] for label in labels]


@register_task(
    "unseen_combination",
    description="Genes are drawn, and combinations of the genes that are left.",
    reference="Roohani, Huang & Leskovec, Nature Biotechnology 2024 (GEARS)",
)
@dataclass(frozen=True, kw_only=True)
class UnseenCombination(Task):
    """Combinations of none, one or all targets that training has seen as singles."""

    def assign(
        self, conditions: pd.DataFrame, *, seed: int, values: Mapping[str, float] | None = None
    ) -> Sequence[str | None]:
        """Draw genes and combinations; see :func:`split_combinations`."""
        labels = conditions[PERTURBATION]
        part = split_combinations(labels, fractions=self.fractions, seed=seed, values=values)
        return [part[label] for label in labels]

    def leaks(self, conditions: pd.DataFrame) -> Iterator[Problem]:
        """Find held-out perturbations; a combination of seen targets is what is asked for."""
        for used, held_out in ((TRAIN, VALIDATION), (TRAIN, TEST), (VALIDATION, TEST)):
            yield from used_before(conditions, used, held_out, seen_targets=True)


@dataclass(frozen=True, kw_only=True)
class CellLineTask(Task):
    """A task about one cell line.

    Parameters
    ----------
    fractions
        Fractions of train, val and test.
    test_cell_line
        The line that is test.
    """

    test_cell_line: str | None = None

    def chosen(self, conditions: pd.DataFrame) -> str:
        """Return the test line; one must be named."""
        if self.test_cell_line is None:
            lines = ", ".join(sorted(set(conditions[CELL_LINE])))
            raise ValueError(f"The task {self.name!r} needs test_cell_line, one of: {lines}.")
        return self.test_cell_line

    def groups(self, conditions: pd.DataFrame) -> Sequence[str | None]:
        """Say whether the perturbation is trained on in another line."""
        return seen_elsewhere(conditions)

    def folds(self, conditions: pd.DataFrame) -> Iterator[tuple[str, Task]]:
        """Take every line in turn, or the one that is named."""
        lines = sorted(set(conditions[CELL_LINE].astype(str)))
        for line in lines if self.test_cell_line is None else [self.test_cell_line]:
            yield line, replace(self, test_cell_line=line)


@register_task(
    "unseen_cell_line",
    description="All perturbations of one cell line.",
    reference=_PAPER,
)
@dataclass(frozen=True, kw_only=True)
class UnseenCellLine(CellLineTask):
    """A cell line of which training sees the control cells alone.

    Parameters
    ----------
    fractions
        Fractions of train and val among the other lines; that of test does not count.
    test_cell_line
        The line held out.
    val_cell_line
        A line whose perturbations are all validation; by default they are drawn in the lines
        that are not test.
    """

    val_cell_line: str | None = None

    def assign(
        self, conditions: pd.DataFrame, *, seed: int, values: Mapping[str, float] | None = None
    ) -> Sequence[str | None]:
        """Hold the line out; see :func:`split_cell_lines`."""
        return split_cell_lines(
            conditions,
            self.chosen(conditions),
            val_cell_line=self.val_cell_line,
            fractions=self.fractions,
            seed=seed,
            values=values,
        )

    def leaks(self, conditions: pd.DataFrame) -> Iterator[Problem]:
        """Find perturbations of the test line, and validation ones of the others, in training."""
        return line_leaks(conditions)

    def folds(self, conditions: pd.DataFrame) -> Iterator[tuple[str, Task]]:
        """Leave out every line in turn but that of validation, or the one that is named."""
        others = conditions[conditions[CELL_LINE] != self.val_cell_line]
        return super().folds(others)


@register_task(
    "few_shot_cell_line",
    description="A part of the perturbations of one cell line, of which another part is measured.",
)
@dataclass(frozen=True, kw_only=True)
class FewShotCellLine(CellLineTask):
    """A cell line of which training sees some perturbations; other lines are seen whole.

    For one seed the test perturbations are the same whatever is measured, and those measured are
    nested: the first 10% are among the first 50%.

    Parameters
    ----------
    fractions
        The last is the fraction of the line's perturbed genes that is test; the first two are
        how what is measured is divided between training and validation.
    test_cell_line
        The line measured in part.
    measured
        A fraction of the line's perturbed genes or, as an integer, a number of them.
    """

    measured: float = 0.5

    def assign(
        self, conditions: pd.DataFrame, *, seed: int, values: Mapping[str, float] | None = None
    ) -> Sequence[str | None]:
        """Draw the perturbed genes of the line; see :func:`split_few_shot`."""
        return split_few_shot(
            conditions,
            self.chosen(conditions),
            measured=self.measured,
            fractions=self.fractions,
            seed=seed,
            values=values,
        )

    def leaks(self, conditions: pd.DataFrame) -> Iterator[Problem]:
        """Find what of a line's held-out perturbations is learned from in the same line."""
        for _, here in conditions.groupby(CELL_LINE, sort=True, observed=True):
            yield from super().leaks(here)
