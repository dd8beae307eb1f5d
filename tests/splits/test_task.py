from dataclasses import dataclass

import pandas as pd
import pytest

import txpert as tx
from txpert.splits import Task, register_task
from txpert.splits._task import TASKS, make_task


@pytest.fixture
def own_task():
    """A task registered for one test; it holds out what starts with a letter."""

    @register_task("by_letter", description="What starts with a letter.", reference="none")
    @dataclass(frozen=True, kw_only=True)
    class ByLetter(Task):
        letter: str = "A"

        def assign(self, conditions, *, seed, values=None):
            return [
                "test" if label.startswith(self.letter) else "train"
                for label in conditions["perturbation"]
            ]

    yield ByLetter
    del TASKS["by_letter"]


def test_every_task_is_shown_with_its_options():
    table = tx.splits.show()
    assert list(table.index) == list(TASKS)
    assert (table["description"] != "").all()
    assert table.loc["few_shot_cell_line", "options"] == "fractions, test_cell_line, measured"


def test_a_task_of_ones_own_goes_all_the_way(adata, own_task):
    first = adata.obs.loc[~adata.obs["control"], "perturbation"].astype(str).min()
    tx.pp.split(adata, own_task(letter=first[:3]))
    assert adata.uns["txpert_split"]["letter"] == first[:3]
    tested = set(adata.obs.loc[adata.obs["split"] == "test", "perturbation"])
    assert first in tested
    assert all(label.startswith(first[:3]) for label in tested)
    assert tx.pp.check_split(adata).empty
    result = tx.benchmark(
        adata,
        {"mean": "mean"},
        "by_letter",
        split_options={"letter": first},
        ceiling_repeats=0,
    )
    named = {label for label in adata.obs["perturbation"].unique() if label.startswith(first)}
    assert set(result.scores["perturbation"]) == named
    other = tx.benchmark(adata, {"mean": "mean"}, own_task(letter=first), ceiling_repeats=0)
    pd.testing.assert_frame_equal(
        other.scores.drop(columns="seconds", errors="ignore"),
        result.scores.drop(columns="seconds", errors="ignore"),
    )


def test_names_are_taken_once(own_task):
    with pytest.raises(ValueError, match="already the task 'unseen_cell_line', UnseenCellLine"):
        register_task("unseen_cell_line", description="mine")(own_task)
    with pytest.raises(TypeError, match=r"subclass of txpert\.splits\.Task"):
        register_task("x", description="none")(int)


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("x", {}, "no task 'x'; the tasks known are 'unseen_perturbation'"),
        (
            "unseen_cell_line",
            {"measured": 0.5},
            "no option 'measured'; it has fractions, test_cell_line, val_cell_line. "
            "It belongs to 'few_shot_cell_line'",
        ),
        ("unseen_combination", {"depth": 3}, "no option 'depth'; it has fractions"),
    ],
)
def test_unknown_tasks_and_options_are_named(task, options, message):
    with pytest.raises(ValueError, match=message):
        make_task(task, **options)


def test_options_belong_to_the_task_that_is_given_whole():
    task = make_task("unseen_cell_line", test_cell_line="K")
    assert make_task(task) is task
    with pytest.raises(ValueError, match="give it to UnseenCellLine"):
        make_task(task, test_cell_line="T")


def test_lines_are_test_in_turn():
    conditions = pd.DataFrame({"cell_line": list("KRT"), "perturbation": ["A", "B", "C"]})

    def lines(name, **options):
        return [fold for fold, _ in make_task(name, **options).folds(conditions)]

    assert lines("unseen_cell_line") == lines("few_shot_cell_line") == ["K", "R", "T"]
    assert lines("unseen_cell_line", val_cell_line="R") == ["K", "T"]
    assert lines("few_shot_cell_line", test_cell_line="R") == ["R"]
    assert lines("unseen_perturbation") == [""]
    for name, task in make_task("few_shot_cell_line", measured=3).folds(conditions):
        assert (task.test_cell_line, task.measured) == (name, 3)
