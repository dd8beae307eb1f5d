"""The benchmark scripts run from end to end on screens of no size."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MODELS = {
    "TxPert",
    "MLP on gene embeddings",
    "no change",
    "mean",
    "general",
    "matching mean",
    "nearest cell line",
    "weighted cell line",
    "batch only",
    "neighbors",
    "kernel",
    "ridge",
    "graph oracle",
    "truth",
    "ceiling: halves of the data",
}
GROUPS = {
    "unseen_perturbation": {"all"},
    "unseen_combination": {"all", "seen_0", "seen_1", "seen_2", "unseen_single"},
    "unseen_cell_line": {"all", "seen", "unseen"},
}


def run_tasks(folder, *options):
    run("tasks.py", "--size", "tiny", *options, "--results", folder, "--figures", folder)


def run(script, *options):
    command = [sys.executable, str(BENCHMARKS / script), *map(str, options)]
    threads = {"TXPERT_THREADS": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=os.environ | threads, capture_output=True, text=True)


def rows_of(folder, task):
    return json.loads((folder / f"tasks_tiny_{task}.json").read_text())["rows"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    run_tasks(folder, "--seeds", "0")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("task", GROUPS)
def test_every_model_has_its_rows(finished, task):
    rows = rows_of(finished, task)
    assert {row["model"] for row in rows} >= MODELS
    assert {row["group"] for row in rows} <= GROUPS[task]
    assert {row.get("status", "done") for row in rows} == {"done"}
    assert all(row["seconds"] > 0 for row in rows if not row["model"].startswith("ceiling"))
    assert (finished / f"tasks_tiny_{task}.png").exists()


@pytest.mark.slow
def test_oracles_bound_what_can_be_had(finished):
    rows = [row for row in rows_of(finished, "unseen_perturbation") if row["group"] == "all"]
    score = {row["model"]: row.get("pearson_delta") for row in rows}
    assert score["general"] < score["graph oracle"] < score["truth"]
    assert next(row["relative_mse"] for row in rows if row["model"] == "general") == 1


@pytest.mark.slow
def test_a_second_call_adds_seeds_and_does_not_fit_again(finished):
    before = rows_of(finished, "unseen_perturbation")
    run_tasks(finished, "--only", "unseen_perturbation", "--seeds", "0", "1")
    after = rows_of(finished, "unseen_perturbation")
    assert [row for row in after if row["seed"] == 0] == before
    assert {row["seed"] for row in after} == {0, 1}
    table = (finished / "tasks.md").read_text()
    assert "## tiny, unseen_perturbation, all (6 perturbations, 2 seeds)" in table
    assert "## tiny, unseen_cell_line, all" in table


@pytest.mark.slow
def test_the_grid_tells_where_a_baseline_wins(tmp_path):
    run("grid.py", "--quick", "--seeds", "0", "1", "--results", tmp_path)
    content = json.loads((tmp_path / "grid.json").read_text())
    assert {row["model"] for row in content["rows"]} == {
        "TxPert",
        "general",
        "neighbors",
        "ridge",
    }
    assert [line["n"] for line in content["verdicts"]] == [10, 20]
    assert all(line["seconds"] > 0 for line in content["verdicts"])
    assert "| 20 | medium | 0.300 |" in (tmp_path / "grid.md").read_text()


@pytest.mark.slow
def test_ablation_takes_every_ingredient_out(tmp_path):
    run("ablation.py", "--quick", "--seeds", "0", "--results", tmp_path)
    rows = json.loads((tmp_path / "ablation.json").read_text())["rows"]
    score = {row["model"]: row["pearson_delta"] for row in rows}
    assert score["without the on-target effect"] < score["default"]
    assert len(set(score.values())) > len(score) / 2
    assert "| default |" in (tmp_path / "ablation.md").read_text()
