"""Numbers on pages are those of the JSON files in benchmarks/results."""

import importlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
RESULTS = BENCHMARKS / "results"


@pytest.fixture
def script(monkeypatch):
    """Import a script of benchmarks, and forget it."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    own = {path.stem for path in BENCHMARKS.glob("*.py")}
    before = {name: module for name, module in sys.modules.items() if name in own}
    yield importlib.import_module
    for name in own & set(sys.modules):
        del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture
def folder(tmp_path):
    for file in RESULTS.glob("*.json"):
        shutil.copy(file, tmp_path)
    return tmp_path


def same(folder, name):
    assert (folder / name).read_text() == (RESULTS / name).read_text()


@pytest.mark.parametrize("name", ["tasks", "real_data"])
def test_tables_of_comparisons(script, folder, name):
    script(name).tabulate(folder)
    same(folder, f"{name}.md")


def test_table_of_ingredients(script, folder):
    rows = json.loads((RESULTS / "ablation.json").read_text())["rows"]
    script("ablation").write_table(rows, folder)
    same(folder, "ablation.md")


def test_table_of_the_grid(script, folder):
    grid = script("grid")
    content = json.loads((RESULTS / "grid.json").read_text())
    grid.write_table(grid.verdicts(content["rows"]), folder)
    same(folder, "grid.md")


@pytest.mark.slow
def test_runtime_and_memory(tmp_path):
    output, figures = tmp_path / "benchmarks" / "COSTS.md", tmp_path / "docs/_static/benchmarks"
    output.parent.mkdir()
    command = [sys.executable, BENCHMARKS / "report.py", "--figures", figures, "--output", output]
    subprocess.run(command, check=True, capture_output=True)
    assert output.read_text() == (BENCHMARKS / "COSTS.md").read_text()


@pytest.mark.parametrize("screen", ["simulated", "papalexi"])
def test_scores_of_encoders(script, screen):
    """The table of the page has the mean ± sd of every encoder."""
    rows = json.loads((RESULTS / f"encoder_accuracy_{screen}.json").read_text())["rows"]
    scores = ["pearson_delta", "retrieval", "relative_mse"]
    table = script("_common").mean_sd(pd.DataFrame(rows), ["variant"], scores)
    page = (ROOT / "docs" / "encoders.md").read_text()
    missing = [name for name, row in table.iterrows() if " | ".join(row) not in page]
    assert missing == []


def test_curves_of_the_next_experiment():
    curves = json.loads((RESULTS / "next_experiment.json").read_text())["curves"]
    rows = [
        {"line": name.split("/")[0], "strategy": name.split("/")[1], **step}
        for name, steps in curves.items()
        for step in steps
    ]
    means = pd.DataFrame(rows).groupby(["line", "strategy", "n"])["pearson_delta"].mean()
    page = (ROOT / "docs" / "decisions.md").read_text()
    for (line, strategy), part in means.groupby(level=[0, 1]):
        row = " | ".join([line, strategy, *part.map("{:.3f}".format)])
        assert f"| {row} |" in page


def test_the_figure_of_the_readme_was_drawn_from_what_is_stored():
    rows = json.loads((RESULTS / "overview.json").read_text())["rows"]
    score = {row["model"]: row["pearson_delta"] for row in rows}
    assert score["TxPert"] > score["general"]
    assert (ROOT / "docs" / "_static" / "overview.png").stat().st_size < 200_000
    assert re.search(r"!\[.+\]\(docs/_static/overview\.png\)", (ROOT / "README.md").read_text())


def test_costs_of_a_genome_and_several_graphs(script, folder):
    """The table of the page has the numbers of the Gaussian process."""
    sections = script("_report_sections")
    table = sections.process(sections.Results(folder, folder, folder / "COSTS.md"))
    assert table in (BENCHMARKS / "COSTS.md").read_text()
