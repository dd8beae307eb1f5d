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


def test_numbers_of_decisions(script):
    page = " ".join((ROOT / "docs" / "decisions.md").read_text().split())
    found = json.loads((RESULTS / "decisions.json").read_text())
    removed = found["deletion"]
    named, drawn = (removed[f"relative change without {x}"] for x in ("the named", "random ones"))
    assert f"change by {named:.0%} of their norm" in page
    assert f"by {drawn:.1%} without five random ones" in page
    assert removed["larger without the named"] == 1
    summary = " ".join((ROOT / "docs" / "results.md").read_text().split())
    assert f"by {named:.0%} of their norm without the five" in summary
    assert f"by {drawn:.1%} without five random ones" in summary
    ranking = found["screen"]
    pairs = ranking["order 2, dot"]
    assert f"all {pairs['ranked']:,} pairs {pairs['seconds']:.0f} s by dot product" in page
    assert f"{ranking['order 2, cosine']['seconds']:.0f} s by cosine" in page
    matches = found["retrieval"]
    ten, first = (
        [matches[f"{line}, among predicted"][x] for line in ("K562", "RPE1")]
        for x in ("among ten", "first")
    )
    assert f"first ten predictions in {ten[0]:.0%} and {ten[1]:.0%} of" in summary
    assert f"{pairs['ranked']:,} pairs of genes are ranked in {pairs['seconds']:.0f} s" in summary
    said = f"it is {ten[0]:.0%} and {ten[1]:.0%}, and {first[0]:.0%} and {first[1]:.0%} the first"
    assert said in page
    ten, first = (
        [matches[f"{line}, among measured and predicted"][x] for line in ("K562", "RPE1")]
        for x in ("among ten", "first")
    )
    assert f"{ten[0]:.0%} (K562, 439 candidates) and {ten[1]:.0%} (RPE1, 339)" in page
    assert f"and {first[0]:.0%} and {first[1]:.0%} the first." in page
    table = script("next_experiment")
    curves = json.loads((RESULTS / "next_experiment.json").read_text())["curves"]
    gains = table.gains(table.tabulate(curves))
    for line in ("K562", "RPE1", "simulated"):
        assert f"{gains.loc[line, ('mean', 'variance')]:.4f}" in page
        assert f"{gains.loc[line, ('sd', 'variance')]:.4f}" in page


def test_confidence():
    rows = pd.DataFrame(json.loads((RESULTS / "confidence.json").read_text())["rows"])
    means = rows.groupby("line").mean(numeric_only=True)
    page = (ROOT / "docs" / "decisions.md").read_text()
    rows_of_page = {
        "held-out Δ inside intervals of 50%": "inside 50%",
        "… of 80%": "inside 80%",
        "… of 95%": "inside 95%",
        "Pearson Δ expected, mean": "expected",
        "Pearson Δ achieved, mean": "achieved",
        "correlation of expected and achieved": "correlation of expected and achieved",
        "Pearson Δ achieved without the least sure third": "achieved without the least sure third",
        "… of the least sure third": "achieved of the least sure third",
    }
    for name, column in rows_of_page.items():
        values = " | ".join(f"{means.loc[line, column]:.3f}" for line in ("K562", "RPE1"))
        assert f"| {name} | {values} |" in page


def test_terms_of_the_gallery():
    page = " ".join((ROOT / "docs" / "gallery.md").read_text().split())
    rows = pd.DataFrame(json.loads((RESULTS / "terms.json").read_text())["rows"])
    rows = rows.set_index(["line", "name"])
    for name in ("vacuole", "lysosome"):
        row = rows.loc[("RPE1", name)]
        assert f"{name} (rank {row['rank']}, " in page
        assert f"{row['fdr']:.2g}" in page
        assert rows.loc[("K562", name), "fdr"] > 0.99


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


@pytest.mark.parametrize(
    ("module", "what"),
    {
        "_heat_polynomial": "diffusion",
        "metrics/_genes": "auroc",
        "nn/_gatv2": "gatv2",
        "nn/_edges": "hops",
        "nn/_gcn": "convolution",
        "nn/_gat_mlg": "supra",
        "effects/_smoother": "ridge",
        "data/_group_sums": "means",
    }.items(),
)
def test_docstrings_say_how_long_a_library_takes(module, what):
    rows = json.loads((RESULTS / "libraries.json").read_text())["rows"]
    row = next(row for row in rows if row["what"] == what)
    text = (ROOT / f"src/txpert/{module}.py").read_text()
    said = re.search(r"takes ([\d.]+) times as long", text)
    assert said is not None
    assert float(said[1]) == pytest.approx(row["library's seconds"] / row["seconds"], abs=0.06)
    assert row["largest difference"] < 1e-6


def test_rows_of_what_was_not_measured_again_stay(script, tmp_path):
    tables = script("_tables")

    def row(model, seed, score):
        return {"group": "all", "model": model, "seed": seed, "pearson_delta": score}

    file = tmp_path / "rows.json"
    file.write_text(json.dumps({"rows": [row("TxPert", 0, 0.4), row("GEARS", 0, 0.3)]}))
    new = [row("TxPert", 0, 0.5), row("TxPert", 1, 0.6)]
    assert tables.with_stored(new, file) == [new[0], row("GEARS", 0, 0.3), new[1]]
    assert tables.with_stored(new, tmp_path / "none.json") == new


def test_what_is_drawn_has_the_scores_of_the_rows(script):
    tables = script("_tables")
    content = json.loads((RESULTS / "tasks_unseen_perturbation.json").read_text())
    drawn = tables.to_draw(content["rows"], "general")
    assert drawn.models[0] == "TxPert"
    means = drawn.scores.groupby("model")["pearson_delta"].mean()
    told = {r["model"]: r["pearson_delta"] for r in content["summary"] if "pearson_delta" in r}
    assert means["GEARS"] == pytest.approx(told["GEARS"])
    kinds = drawn.ceiling.groupby("kind")["pearson_delta"].mean()
    assert kinds["split_half"] == pytest.approx(told["ceiling: halves of the data"])
