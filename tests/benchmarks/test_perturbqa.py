"""The PerturbQA benchmark on small files in the published layout."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "perturbqa.py"
N_MODULES, SIZE, N_GENES = 6, 8, 30


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("perturbqa", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Perturbations of one module, connected in the graph, have the same labels; half are kept."""
    path = tmp_path_factory.mktemp("perturbqa")
    rng = np.random.default_rng(0)
    perts = [f"P{i}" for i in range(N_MODULES * SIZE)]
    module = np.repeat(np.arange(N_MODULES), SIZE)
    edges = [(perts[i], perts[j]) for i in range(48) for j in range(i) if module[i] == module[j]]
    pd.DataFrame(edges, columns=["source", "target"]).to_csv(path / "edges.tsv", sep="\t")
    frame = pd.read_csv(path / "edges.tsv", sep="\t", index_col=0)
    frame.to_csv(path / "edges.tsv", sep="\t", index=False)
    for kind in ("de", "dir"):
        label = rng.integers(0, 2, size=(N_MODULES, N_GENES))[module]
        rows = [
            (pert, f"G{g}", label[i, g], "test" if i % 4 == 0 else "train")
            for i, pert in enumerate(perts)
            for g in range(N_GENES)
            if rng.random() < 0.5
        ]
        table = pd.DataFrame(rows, columns=["pert", "gene", "label", "split"])
        table.to_csv(path / f"k562-{kind}.csv", index=False)
    return path


@pytest.mark.slow
def test_what_the_graph_tells_is_found_in_the_test_split(folder, tmp_path):
    options = [folder, "--graphs", folder / "edges.tsv", "--results", tmp_path]
    command = [sys.executable, str(SCRIPT), *map(str, options)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "differentially expressed" in run.stdout
    assert "0.62" in run.stdout
    done = json.loads((tmp_path / "perturbqa.json").read_text())
    assert set(done) == {"k562-de", "k562-dir"}
    for result in done.values():
        assert result["auroc"] > 0.8
        assert 0 < result["n_genes"] <= N_GENES
        assert result["n_test"] == 12
        assert result["n_train"] == 36
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert again.stdout == run.stdout


def test_auroc_is_over_genes_with_both_labels(script):
    pairs = pd.DataFrame(
        {
            "gene": ["A", "A", "A", "B", "B", "C", "C"],
            "label": [1, 0, 0, 1, 1, 0, 1],
            "score": [0.5, 0.1, 0.9, 1.0, 2.0, 1.0, np.nan],
        }
    )
    assert script.gene_auroc(pairs).to_dict() == {"A": 0.5}


def test_files_of_another_layout_are_refused(script, tmp_path):
    with pytest.raises(FileNotFoundError, match="LINE-de"):
        script.find_tables(tmp_path)
    pd.DataFrame({"pert": ["A"], "gene": ["B"]}).to_csv(tmp_path / "x-de.csv", index=False)
    with pytest.raises(ValueError, match="lacks the columns label, split"):
        script.read_labels(tmp_path / "x-de.csv")
    table = pd.DataFrame({"pert": ["A"], "gene": ["B"], "label": [2], "split": ["train"]})
    table.to_csv(tmp_path / "x-de.csv", index=False)
    with pytest.raises(ValueError, match="has the label 2"):
        script.read_labels(tmp_path / "x-de.csv")
