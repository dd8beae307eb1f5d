"""The code of CONTRIBUTING.md and the quick starts work as written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
USE = """
adata = tx.datasets.toy()
tx.pp.split(adata, task="last_gene")
tx.pp.split(adata)
tx.TxPertModel.setup_anndata(adata)
model = tx.TxPertModel(
    adata, tx.datasets.toy_graph(), encoder="mean_of_sources", decoding="linear",
    components=["mean", "no_change", "network"],
)
model.train(max_epochs=1, enable_progress_bar=False)
assert "fraction_no_change" in model.predict("GENE3").obs
assert "mae" in tx.evaluation.show().index
assert "half_mean" in tx.baselines.show().index
assert "pairs" in tx.graph.show().index
"""


def blocks(name):
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_the_extensions_of_contributing_work():
    done = run("\n".join(blocks("CONTRIBUTING.md")) + USE)
    assert done.returncode == 0, done.stderr


def test_the_quick_start_of_the_readme_has_at_most_twelve_lines():
    assert len(blocks("README.md")[0].strip().splitlines()) <= 12


@pytest.mark.slow
@pytest.mark.parametrize("name", ["README.md", "docs/index.md"])
def test_the_quick_start_runs_as_written(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(blocks(name)[0])
    assert done.returncode == 0, done.stderr
