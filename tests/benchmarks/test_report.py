"""The scaling benchmark counts work, and the report shows whatever results there are."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import txpert

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
THREADS = {"TXPERT_THREADS": "1", "OMP_NUM_THREADS": "1"}
ENVIRONMENT = {
    "python": "3.11",
    "machine": "x86_64",
    "cores": 2,
    "threads": 1,
    "txpert": "0.1.0",
    "torch": "2.13.0",
    "numpy": "2.4",
}


@pytest.fixture(scope="module")
def bounds():
    spec = importlib.util.spec_from_file_location("_bounds", BENCHMARKS / "_bounds.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["_bounds"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["_bounds"]


def run(script, *options):
    command = [sys.executable, str(BENCHMARKS / script), *map(str, options)]
    return subprocess.run(
        command, check=True, env=os.environ | THREADS, capture_output=True, text=True
    )


def put(folder, name, rows, **more):
    content = {"environment": ENVIRONMENT, "rows": rows, **more}
    (folder / f"{name}.json").write_text(json.dumps(content))


def report(folder):
    output = folder / "COSTS.md"
    run("report.py", "--results", folder, "--figures", folder / "figures", "--output", output)
    return output.read_text()


def test_phases_wait_for_each_other_and_take_the_longer_of_arithmetic_and_transfer(bounds):
    rates = {"float32": 2.0, "float64": 1.0, "memory": 4.0, "cache": 8.0}
    arithmetic = bounds.Phase(flops=6e9, n_bytes=8e9)
    transfer = bounds.Phase(flops=1e9, n_bytes=8e9, dtype="float64")
    cached = bounds.Phase(n_bytes=8e9, place="cache")
    assert bounds.bound_seconds([arithmetic], rates) == 3
    assert bounds.bound_seconds([arithmetic, transfer, cached], rates) == 3 + 2 + 1


def test_repeats_end_with_the_budget(bounds):
    called = []
    assert bounds.repeated(lambda: called.append(1), repeats=4)["repeats"] == 4
    assert bounds.repeated(lambda: called.append(1), repeats=4, budget=0)["repeats"] == 1
    assert len(called) == 5


@pytest.mark.slow
def test_without_results_the_report_is_its_head(tmp_path):
    text = report(tmp_path)
    assert text.startswith("# Runtime and memory")
    assert "## " not in text


@pytest.mark.slow
def test_the_report_shows_what_was_stored(tmp_path):
    curve = [[1.0, 0.3], [2.0, 0.5]]
    fit = {"seed": 0, "seconds": 2.5, "best_validation": 0.5, "test_pearson_delta": 0.4}
    fit |= {"peak_memory_mb": 10.0, "broken_off": False, "curve": curve}
    slow = fit | {"model": "network, cells", "curve": [[1.0, 0.2]]}
    put(tmp_path, "training_medium", [fit | {"model": "network, condition means"}, slow])
    gears = {"seed": 0, "seconds_to_best": 12.0, "best_epoch": 3}
    put(tmp_path, "gears_time", [gears | {"tool": "GEARS"}, gears | {"tool": "txpert"}])
    put(tmp_path, "import_time", [{"scvi": 2.0, "txpert": 3.0}])
    passes = {"form": "h5ad", "seconds": 2.0, "cpu_seconds": 1.5, "megabytes": 70.0}
    put(tmp_path, "streaming", [passes | {"cells": n} for n in (1_000, 2_000)])
    text = report(tmp_path)
    assert "| network, condition means | 1 | 2.5 | 2 | 0.5 | 0.4 | 10 | 0 |" in text
    assert "| network, cells | 1 | 2.5 | – (not in 1) |" in text
    assert "| GEARS | 1 | 12 |" in text
    assert "median ratio of pairs 1.5" in text
    assert "numpy 2.4; x86_64, 2 cores, 1 thread(s)" in text
    assert "![Seconds of pseudobulk against cells](figures/streaming.png)" in text
    assert (tmp_path / "figures" / "training.png").stat().st_size < 60_000


@pytest.mark.slow
def test_scaling_goes_on_where_it_stopped_and_is_reported(tmp_path):
    run("scaling.py", "--quick", "--only", "pseudobulk", "kernel", "--results", tmp_path)
    first = json.loads((tmp_path / "scaling.json").read_text())["rows"]
    run("scaling.py", "--quick", "--results", tmp_path)
    content = json.loads((tmp_path / "scaling.json").read_text())
    rows = content["rows"]
    assert rows[: len(first)] == first
    assert {row["question"] for row in rows} == {"training", "pseudobulk", "predict", "kernel"}
    assert all(0 < row["bound_seconds"] < row["cpu_seconds"] for row in rows)
    assert all(rate > 0 for rate in content["rates"].values())
    cells = {row["value"]: row["gigabytes"] for row in rows if row["axis"] == "cells"}
    assert cells[100] < cells[200]
    text = report(tmp_path)
    assert "| nodes (20 edges each) | 20 … 30 |" in text
    assert (tmp_path / "figures" / "scaling_passes.png").exists()


def test_tools_stand_next_to_each_other_on_each_axis(tmp_path):
    middle = {"perturbations": 300, "genes": 1_000, "graphs": 1, "asked": 1_000}
    times = {"fit_seconds": 2.0, "predict_seconds": 0.5, "peak_gb": 1.5}
    times |= {"fit_bound": 0.02, "predict_bound": 0.01, "fit_seconds_of_runs": [2, 3]}
    ours = [
        {"tool": "TxPert", **middle, **changed, **times}
        for changed in ({}, {"perturbations": 100}, {"asked": 5_000})
    ]
    slow = {"tool": "GEARS", **middle, **times, "fit_seconds": 60.0, "fit_seconds_of_runs": None}
    put(tmp_path, "cost_curves", [*ours, slow])
    text = report(tmp_path)
    assert "| training perturbations | 100 | 2 (2 to 3) | – | 0.02 | 1.5 | – |" in text
    assert "| training perturbations | 300 | 2 (2 to 3) | 60 | 0.02 | 1.5 | 1.5 |" in text
    assert "| genes asked for | 5,000 | 0.5 | – | 0.01 | 1.5 | – |" in text
    assert "| graphs |" not in text
    assert (tmp_path / "figures" / "cost_curves.png").exists()


@pytest.mark.slow
def test_cost_curves_go_on_where_they_stopped(tmp_path):
    pairs = [(f"GENE{i}", f"GENE{(i + step) % 60}") for i in range(60) for step in (1, 2, 5)]
    edges = pd.DataFrame(pairs, columns=["source", "target"]).assign(combined_score=900)
    edges.to_csv(tmp_path / "string_links.tsv.gz", sep="\t", index=False)
    options = ["--quick", "--repeats", 1, "--data", tmp_path, "--results", tmp_path]
    run("cost_curves.py", *options, "--only", "asked")
    first = json.loads((tmp_path / "cost_curves.json").read_text())["rows"]
    assert {(row["tool"], row["asked"]) for row in first} == {
        (tool, asked) for tool in ("TxPert", "process") for asked in (5, 10)
    }
    run("cost_curves.py", *options, "--before", Path(txpert.__file__).parents[1])
    rows = json.loads((tmp_path / "cost_curves.json").read_text())["rows"]
    assert rows[: len(first)] == first
    assert {row["tool"] for row in rows} == {"TxPert", "process", "exact kernels"}
    assert all(0 < row["fit_bound"] < row["fit_seconds"] for row in rows)
    assert len(rows) == 9


def test_medians_of_repeats_stand_next_to_their_spread(tmp_path):
    case = {"case": "fit", "what": "fit", "perturbations": 2_000, "genes": 5_000, "graphs": 4}
    once = {"label": "before", **case, "cpu_seconds": 50.0, "seconds": 60.0, "peak_gb": 3.0}
    often = {**once, "label": "after", "cpu_seconds": 30.0, "cpu_seconds_of_runs": [29, 30, 32]}
    put(tmp_path, "process_scaling", [once, often])
    assert "| 50 | 30 (29 to 32) |" in report(tmp_path)


def test_what_was_extrapolated_is_said_to_be(tmp_path):
    row = {"workers": 2, "seconds": 10.0, "cpu_seconds": 18.0, "open_seconds": 1.0}
    row |= {"seconds_per_million": 10.0, "cpu_seconds_per_million": 18.0}
    row |= {"worker_megabytes": 300.0, "client_megabytes": 200.0}
    measured = row | {"cells": 1_000_000, "extrapolated": False}
    put(tmp_path, "atlas", [measured, row | {"cells": 8_000_000, "extrapolated": True}])
    text = report(tmp_path)
    assert "| 1,000,000 | 2 |" in text
    assert "| 8,000,000 (extrapolated) | 2 |" in text
