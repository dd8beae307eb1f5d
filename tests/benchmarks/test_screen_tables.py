"""Tables of real screens, in the documentation and the README, are those of the JSON file."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("screen_tables", BENCHMARKS / "screen_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def done():
    return json.loads((BENCHMARKS / "results" / "screens.json").read_text())


def test_the_page_of_screens_is_that_of_the_json(tables, done):
    stored = (BENCHMARKS / "results" / "screens.md").read_text()
    assert stored == tables.screens_page(done), "run python benchmarks/screen_tables.py"


def test_the_readme_has_the_numbers_of_the_json(tables, done):
    readme = (ROOT / "README.md").read_text()
    assert readme == tables.put(readme, tables.readme_table(done)), "run screen_tables.py"


def test_cases_are_averaged_over_folds_and_seeds(tables):
    def scores(value):
        return {"pearson_delta": value, "retrieval": value, "mse": value}

    done = {
        "unseen/K562/go/0.0": {"process": scores(0.1), "seconds": 3.0},
        "unseen/K562/go/1.0": {"process": scores(0.4)},
    }
    assert tables.means(done)["unseen/K562/go"]["process"]["mse"] == pytest.approx(0.25)


def test_the_readme_shows_trained_ensembles(tables, done):
    added = {name: s for name, s in done.items() if not name.startswith("components/")}
    for line in ("K562", "RPE1"):
        scores = {"pearson_delta": 0.777, "retrieval": 0.888, "mse": 0.01}
        models = dict.fromkeys(["mean", "gaussian_process", "network", "ensemble"], scores)
        for label in (tables.BEST, "ten"):
            added[f"components/{line}/{label}/0.0"] = models
    table = tables.readme_table(added)
    assert "| K562, unseen genes | 0.777 | 0.888 | 0.777 | 0.888 |" in table
    assert "ensemble, the default | 0.777 / 0.888 / 0.0100" in tables.screens_page(added)


def test_a_text_without_the_marks_is_refused(tables):
    with pytest.raises(ValueError, match="lacks the lines"):
        tables.put("# README", "| a |")
